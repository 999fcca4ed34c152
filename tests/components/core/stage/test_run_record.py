"""The record of a run: one schema, filled from what the stages left."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from components import VERSION
from components._core.files import write_json
from components._core.stage.environment import describe_environment
from components._core.stage.run_record import (
    Champion,
    Code,
    StageRecord,
    format_commit,
    make_run_record,
    parse_commit,
    to_stage_record,
)
from tests.components.tiny_models import tiny_project

ROOT = Path(__file__).resolve().parents[4]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENDED = [
    StageRecord("evaluate", "ok", "good", metrics={"auc": 0.9}),
    StageRecord("deploy", "ok", "version 3 is the champion"),
]


def artifacts(folder: Path) -> dict[str, Path]:
    """What the stages leave, as far as the record reads it."""
    manifest = {"fingerprint": "f", "spans": [1, 2], "rows": {"train": 8, "test": 2}, "columns": {}, "files": []}
    write_json(folder / "evaluation" / "manifest.json", manifest)
    write_json(folder / "evaluation" / "champion.json", {"champion": ["2", "models/b/artifacts/model"]})
    write_json(folder / "history" / "environment.json", asdict(describe_environment()))
    write_json(folder / "registration" / "registration.json", {"version": "3"})
    return {name: folder / name for name in ("evaluation", "history", "registration")}


def record(stages: list[StageRecord] = ENDED, **changed: Any) -> Any:
    given = {"run": "r", "cause": "drift", "code": Code("c"), "stages": stages, "artifacts": {}, **changed}
    return make_run_record(given.pop("project", tiny_project()), **given)


def test_every_section_is_filled_from_what_the_stages_left(tmp_path: Path) -> None:
    made = record(artifacts=artifacts(tmp_path))
    assert (made.status, made.reason, made.deployed) == ("succeeded", "version 3 is the champion", True)
    assert (made.model_version, made.metrics, made.cause) == ("3", {"auc": 0.9}, "drift")
    assert (made.data.spans, made.data.fingerprint, made.data.rows) == ([1, 2], "f", {"train": 8, "test": 2})
    assert made.champion == Champion("2", "models/b/artifacts/model")
    assert made.environment == describe_environment()
    assert made.parameters["epochs"] == tiny_project().train.epochs
    assert made.parameters["project"] == json.loads(tiny_project().to_json())


def test_what_is_not_known_is_null() -> None:
    made = asdict(record(code=parse_commit("")))
    assert (made["champion"], made["environment"], made["model_version"]) == (None, None, "")
    assert made["code"] == {"fingerprint": None, "commit": None, "dirty": None}
    assert (made["data"]["spans"], made["data"]["fingerprint"], made["data"]["rows"]) == (None, None, None)


def test_a_gate_that_blocked_is_the_reason() -> None:
    blocked = [StageRecord("evaluate", "blocked", "auc too low"), StageRecord("deploy", "skipped", "nothing to deploy")]
    assert record(blocked).reason == "nothing was deployed: auc too low" and not record(blocked).deployed


def test_credentials_are_masked_wherever_the_source_is_named() -> None:
    project = tiny_project()
    source = "https://me:pa55word@host/t.csv?sig=5ecret"
    held = project.model_copy(update={"data": project.data.model_copy(update={"source": source})})
    text = json.dumps(asdict(record(project=held, cause=f"new rows at {source}")))
    assert "pa55word" not in text and "5ecret" not in text and "https://***@host/t.csv" in text


def test_a_stages_end_becomes_its_record() -> None:
    end = {"stage": "train", "verdict": "ok", "reason": "ended", "work_seconds": 2.0, "metric_loss": 0.5}
    assert to_stage_record(end) == StageRecord("train", "ok", "ended", 0.0, 2.0, {"loss": 0.5})


@pytest.mark.parametrize("dirty", [True, False])
def test_a_commit_survives_the_way_through_the_runs_parameter(dirty: bool) -> None:
    assert parse_commit(format_commit(COMMIT, dirty=dirty), "c") == Code("c", COMMIT, dirty)


def test_a_commit_is_shown_short_and_with_its_changes() -> None:
    assert [str(Code("c", COMMIT, dirty)) for dirty in (False, True)] == [
        "01234567",
        "01234567 and changes on top",
    ]
    assert str(Code("c")) == ""


def test_the_environment_names_what_decides_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NARU_IMAGE", raising=False)
    here = describe_environment()
    numbers = {"tensorflow", "keras", "tensorflow-transform", "scikit-learn", "onnxruntime", "numpy", "pyarrow", "kfp"}
    frameworks = {"xgboost", "lightgbm", "onnx", "skl2onnx"}  # PyTorch's is in no environment of the tests
    assert set(here.packages) == numbers | frameworks
    assert (here.where, here.image) == ("laptop", None)
    monkeypatch.setenv("NARU_IMAGE", "registry/naru-stages@sha256:0")
    there = describe_environment()
    assert (there.where, there.image) == ("cluster", "registry/naru-stages@sha256:0")


def test_the_version_is_the_packages() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
