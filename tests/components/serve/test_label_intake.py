"""Requests with labels: they hold slots and have counters of their own, and a server that was not opened takes none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from components._core.request_log.posted_labels import PostedLabel
from components._core.types.signature import Signature
from components._predictor.refusals import Refusal
from components.serve.admission import AdmissionControl
from components.serve.fast_path import FastPath
from components.serve.label_intake import LabelIntake
from components.serve.label_log import LabelLog
from components.serve.label_rules import LabelRules
from components.serve.limits import Limits
from components.serve.request_log import LogSettings

SIGNATURE = Signature("binary_classification", (), {}, ("0", "1"))
LABEL = json.dumps({"id": "a", "label": 1}).encode()


def opened(folder: Path, limit: int = 1, queue_rows: int = 10) -> tuple[LabelIntake, LabelLog]:
    log = LabelLog(LogSettings(str(folder), flush_seconds=600, queue_rows=queue_rows))
    return LabelIntake(LabelRules(SIGNATURE, Limits()), log, AdmissionControl(limit, queue_seconds=0.01)), log


def post(path: FastPath, body: bytes) -> tuple[int, Any]:
    """Status and content of a request to the application in front of MLServer's."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v2/models/tiny/feedback", "headers": []}
    asyncio.run(path(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def exported(intake: LabelIntake) -> str:
    return generate_latest(intake.admission.metrics.registry).decode()


def test_a_server_that_was_not_opened_says_what_opens_it() -> None:
    status, content = post(FastPath("tiny", "3"), LABEL)
    assert status == 404 and "`endpoint: true` in the section feedback of project.yaml" in content["error"]


def test_labels_are_taken_before_the_model_is_loaded_and_counted_apart(tmp_path: Path) -> None:
    intake, log = opened(tmp_path)
    assert post(FastPath("tiny", "3", intake=intake), LABEL) == (200, {"model_name": "tiny", "labels": 1})
    log.close()
    assert "naru_feedback_labels_total 1.0" in exported(intake) and "naru_requests_total 0.0" in exported(intake)
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1


def test_a_request_with_labels_waits_for_a_slot_and_is_refused_without_one(tmp_path: Path) -> None:
    intake, log = opened(tmp_path)
    with intake.admission.hold():
        assert post(FastPath("tiny", "3", intake=intake), LABEL)[0] == 429
    assert post(FastPath("tiny", "3", intake=intake), LABEL)[0] == 200, "the slot is free again"
    log.close()
    assert 'naru_feedback_refusals_total{code="too_busy"} 1.0' in exported(intake)
    assert 'naru_refusals_total{code="too_busy"} 0.0' in exported(intake), "no prediction was refused"


def test_without_room_none_of_a_requests_labels_is_taken(tmp_path: Path) -> None:
    intake, log = opened(tmp_path, queue_rows=3)
    assert intake.take([PostedLabel("a", 0, "1")] * 2) == 2
    with pytest.raises(Refusal, match="too many labels wait"), intake.counted():
        intake.take([PostedLabel("b", 0, "1")] * 2)
    assert log.waiting == 2
    log.close()
