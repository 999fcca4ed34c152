"""A batch in the request log, beside what the servers write."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import list_closed_hours, list_objects
from components._core.request_log.reader import read_object
from components._core.request_log.value_hashes import find_hasher
from components.predict import predict
from components.predict.destinations.contract import Output
from components.predict.predict import predict_table
from tests.components.predict.conftest import Versions
from tests.components.predict.made import project, read, table

ROWS = 2_600


def _run(
    tmp_path: Path, versions: Versions, output: str = "out", is_logged: bool = True, **log: Any
) -> list[dict[str, Any]]:
    if not (tmp_path / "t.parquet").exists():
        pq.write_table(table(ROWS), tmp_path / "t.parquet")
    raw = json.loads(project(tmp_path / "t.parquet").to_json())
    raw.setdefault("serve", {})["request_log"] = log if is_logged else None
    made = type(project("t.csv")).model_validate(raw)
    predict_table(made, versions(), Output(str(tmp_path / output)), str(tmp_path / "store"))
    objects = sorted((tmp_path / "store" / "tiny" / "requests").glob("dt=*/hour=*/*.jsonl"))
    return [json.loads(line) for path in objects for line in path.read_text().splitlines()]


def test_the_log_has_every_answered_row_by_the_id_that_the_output_has(tmp_path: Path, versions: Versions) -> None:
    lines = _run(tmp_path, versions)
    found = read(tmp_path / "out")
    logged = {
        (line["id"], place): (line["outputs"]["probability"][place], line["inputs"]["carrier"][place])
        for line in lines
        for place in range(len(line["outputs"]["probability"]))
    }
    wanted = zip(
        *(found[name].to_pylist() for name in ("request_id", "request_row", "probability", "carrier")), strict=True
    )
    assert logged == {(request, place): (score, carrier) for request, place, score, carrier in wanted}
    assert {(line["source"], line["version"], line["latency_ms"], line["log"]) for line in lines} == {
        ("batch", "7", None, 2)
    }
    assert [len(line["outputs"]["probability"]) for line in lines] == [1000, 1000, 600]
    log, counts = str(tmp_path / "store" / "tiny" / "requests"), LogCounts()
    hours = list_closed_hours(log, datetime(2100, 1, 1, tzinfo=UTC))
    objects = [each for hour in hours for each in list_objects(log, hour)]
    batches = [batch for each in objects for batch in read_object(each, counts)]
    assert sum(batch.num_rows for batch in batches) == ROWS and not counts.damaged


def test_missing_values_are_null_and_masked_features_are_not_there(tmp_path: Path, versions: Versions) -> None:
    lines = _run(tmp_path, versions, mask=["carrier"])
    assert all(line["inputs"]["carrier"] is None and line["masked"] == ["carrier"] for line in lines)
    delays = [value for line in lines for value in line["inputs"]["delay"]]
    assert delays == table(ROWS)["delay"].to_pylist()


def test_a_batch_is_logged_once(tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the log and the output, and predicted again into another format: the same objects."""
    monkeypatch.setattr(predict, "part_rows", lambda columns: 1_000)
    publish = predict.BatchLog.publish

    def dying(self: Any, work: Any, records: Any) -> None:
        publish(self, work, records)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(predict.BatchLog, "publish", dying)
        with pytest.raises(KeyboardInterrupt):
            _run(tmp_path, versions)
    first = _run(tmp_path, versions)
    assert sum(len(line["outputs"]["probability"]) for line in first) == ROWS
    assert len({line["id"] for line in first}) == len(first)


def test_a_row_is_logged_once_into_whatever_outputs_it_is_predicted(
    tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for number, output in enumerate(("one.csv", "two.parquet", "three")):
        monkeypatch.setattr(time, "time", lambda number=number: now + number * 7_200)
        lines = _run(tmp_path, versions, output)
        ids = [line["id"] for line in lines]
        assert len(ids) == len(set(ids)) and sum(len(line["outputs"]["probability"]) for line in lines) == ROWS
    assert len({line["time"] for line in lines}) == 1


@pytest.mark.parametrize(("before", "after"), [({}, {"mask": ["carrier"]}), (None, {})])
def test_a_batch_that_goes_on_is_logged_by_the_settings_of_now(
    before: dict[str, Any] | None,
    after: dict[str, Any],
    tmp_path: Path,
    versions: Versions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dying(self: Any, work: Any, records: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(predict.LabelMetrics, "measure", dying)
        with pytest.raises(KeyboardInterrupt):
            _run(tmp_path, versions, is_logged=before is not None, **(before or {}))
    lines = _run(tmp_path, versions, **after)
    assert sum(len(line["outputs"]["probability"]) for line in lines) == ROWS
    assert {line["inputs"]["carrier"] is None for line in lines} == {bool(after)}


def test_a_project_without_a_log_writes_none(tmp_path: Path, versions: Versions) -> None:
    pq.write_table(table(5), tmp_path / "t.parquet")
    predict_table(project(tmp_path / "t.parquet"), versions(), Output(str(tmp_path / "out")), str(tmp_path / "store"))
    assert not (tmp_path / "store" / "tiny" / "requests").exists()


def test_hashed_features_are_hashed_with_the_key_of_the_environment(
    tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_LOG_KEY", "0123456789abcdef0123456789abcdef")
    lines = _run(tmp_path, versions, mask=["carrier"], hash=["carrier"])
    hasher = find_hasher()
    hashes = [value for line in lines for value in line["hashes"]["carrier"]]
    assert hasher and hashes == hasher.hash(table(ROWS)["carrier"].to_pylist())
    assert all(line["inputs"]["carrier"] is None for line in lines)


def test_a_missing_key_of_the_hashes_ends_a_batch_before_it_begins(
    tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARU_LOG_KEY", raising=False)
    with pytest.raises(ConfigError, match="hashes carrier with this key"):
        _run(tmp_path, versions, mask=["carrier"], hash=["carrier"])
    assert not (tmp_path / "store").exists() and not (tmp_path / "out").exists()
