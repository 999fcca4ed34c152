"""The log of posted labels: whole files, nothing dropped while the store is away, and no more than may wait."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from components._core.errors import UnavailableError
from components._core.request_log.posted_labels import PostedLabel, write_lines
from components.serve import label_log
from components.serve.label_log import LabelLog
from components.serve.request_log import LogSettings
from tests.components.serve.test_request_log import wait_until

NOON = 1_768_046_400.0
"""2026-01-10, 12:00 UTC."""


def add(log: LabelLog, *ids: str, at: float = NOON) -> bool:
    return log.add(len(ids), write_lines([PostedLabel(each, 0, "late") for each in ids], at), at)


def written(folder: Path) -> dict[str, list[str]]:
    """Ids by hour."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        hour = path.parent.relative_to(folder).as_posix()
        found.setdefault(hour, []).extend(json.loads(line)["id"] for line in path.read_text().splitlines())
    return found


def test_labels_are_written_by_the_hour_in_which_they_came_when_enough_wait(tmp_path: Path) -> None:
    log = LabelLog(LogSettings(str(tmp_path), flush_rows=3, flush_seconds=600))
    assert add(log, "a", "b") and add(log, "c", at=NOON + 3_600)
    wait_until(lambda: log.written == 3)
    assert written(tmp_path) == {"dt=2026-01-10/hour=12": ["a", "b"], "dt=2026-01-10/hour=13": ["c"]}
    (line,) = (tmp_path / "dt=2026-01-10/hour=13").glob("*.jsonl")
    assert json.loads(line.read_text()) == {
        "id": "c",
        "row": 0,
        "label": "late",
        "time": "2026-01-10T13:00:00.000000+00:00",
    }
    log.close()


def test_the_end_writes_what_waits(tmp_path: Path) -> None:
    log = LabelLog(LogSettings(str(tmp_path), flush_rows=100, flush_seconds=600))
    assert add(log, "a")
    log.close()
    assert written(tmp_path) == {"dt=2026-01-10/hour=12": ["a"]} and log.waiting == 0
    assert not add(log, "b"), "a label after the end would be lost"


def test_labels_wait_while_the_store_is_away_and_further_ones_are_refused_when_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put, names = label_log.put, []

    def away(_: bytes, uri: str) -> None:
        names.append(uri)
        raise UnavailableError("the object store failed")

    monkeypatch.setattr(label_log, "put", away)
    log = LabelLog(LogSettings(str(tmp_path), flush_rows=1, flush_seconds=0.01, queue_rows=3))
    with caplog.at_level(logging.WARNING, "naru.serve"):
        assert add(log, "a", "b")
        wait_until(lambda: log.failures >= 7)
    assert add(log, "c") and not add(log, "d"), "three may wait"
    assert len(set(names)) == 1 and len(caplog.records) == 1, "one object, tried again under its name; logged once"
    monkeypatch.setattr(label_log, "put", put)
    wait_until(lambda: log.written == 3)
    assert written(tmp_path) == {"dt=2026-01-10/hour=12": ["a", "b", "c"]} and add(log, "e")
    log.close()


def test_what_cannot_be_written_at_the_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("the object store failed")

    monkeypatch.setattr(label_log, "put", away)
    log = LabelLog(LogSettings(str(tmp_path), flush_rows=100, flush_seconds=600))
    assert add(log, "a", "b")
    log.close()
    assert "2 posted labels were not written" in caplog.text
