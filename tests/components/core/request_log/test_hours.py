import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import list_closed_hours, list_objects
from components._core.request_log.reader import read_object
from components._core.store.object_store import put
from tests.components.core.store.s3_stub import serving

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}\n")


def test_an_hour_is_closed_ten_minutes_after_its_end(tmp_path: Path) -> None:
    make(tmp_path, "dt=2026-01-01/hour=12/a.jsonl")
    assert list_closed_hours(str(tmp_path), NOON + timedelta(hours=1, minutes=9, seconds=59)) == []
    assert list_closed_hours(str(tmp_path), NOON + timedelta(hours=1, minutes=10)) == [NOON]
    assert list_closed_hours(str(tmp_path), NOON + timedelta(hours=1), settle_seconds=0) == [NOON]


def test_closed_hours_come_in_order_from_a_time_on_and_other_folders_are_none(tmp_path: Path) -> None:
    days = (
        "2025-12-31/hour=23",
        "2026-01-01/hour=00",
        "2026-01-01/hour=12",
        "2026-01-02/hour=03",
        "2026-01-09/hour=03",
    )
    make(tmp_path, *[f"dt={day}/a.jsonl" for day in days])
    make(
        tmp_path,
        "dt=2026-13-01/hour=00/a.jsonl",
        "dt=2026-01-01/hour=24/a.jsonl",
        "other/x.jsonl",
        "dt=2026-01-01/x.jsonl",
    )
    found = list_closed_hours(str(tmp_path), NOON + timedelta(days=3))
    assert [f"{hour:%m-%d %H}" for hour in found] == ["12-31 23", "01-01 00", "01-01 12", "01-02 03"]
    since = list_closed_hours(str(tmp_path), NOON + timedelta(days=3), since=NOON + timedelta(minutes=59))
    assert [f"{hour:%m-%d %H}" for hour in since] == ["01-01 12", "01-02 03"]


def test_a_log_that_does_not_exist_has_no_hours(tmp_path: Path) -> None:
    assert list_closed_hours(str(tmp_path / "none"), NOON) == [] and list_objects(str(tmp_path / "none"), NOON) == []


def test_objects_have_size_and_an_identity_that_changes_with_them(tmp_path: Path) -> None:
    make(tmp_path, "dt=2026-01-01/hour=12/b.jsonl", "dt=2026-01-01/hour=12/a.jsonl", "dt=2026-01-01/hour=12/.a.jsonl.x")
    make(
        tmp_path, "dt=2026-01-01/hour=12/.c.jsonl", "dt=2026-01-01/hour=13/c.jsonl", "dt=2026-01-01/hour=12/readme.txt"
    )
    first, second = list_objects(tmp_path.as_uri(), NOON)
    assert (first.name, second.name) == ("dt=2026-01-01/hour=12/a.jsonl", "dt=2026-01-01/hour=12/b.jsonl")
    assert first.uri == f"{tmp_path.as_uri()}/dt=2026-01-01/hour=12/a.jsonl" and first.size == 3
    assert list_objects(tmp_path.as_uri(), NOON) == [first, second]
    os.utime(tmp_path / first.name, (5, 5))
    assert list_objects(tmp_path.as_uri(), NOON)[0].identity != first.identity


def test_a_log_in_s3_is_listed_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"""{"id":"r","time":"2026-01-01T12:00:00+00:00","model":"m","version":"1","latency_ms":1,"inputs":{"x":[1]},"outputs":{"y":[2.5]}}\n"""
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        put(line, "s3://bucket/log/dt=2026-01-01/hour=12/a.jsonl")
        assert list_closed_hours("s3://bucket/log", NOON + timedelta(days=1)) == [NOON]
        (found,) = list_objects("s3://bucket/log/", NOON)
        assert found.uri == "s3://bucket/log/dt=2026-01-01/hour=12/a.jsonl" and found.size == len(line)
        (batch,) = read_object(found, LogCounts())
        assert batch["inputs.x"].to_pylist() == [1] and batch["outputs.y"].to_pylist() == [2.5]
