"""Batch predictions are counted and judged apart from requests of a server, and by volume rules of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.monitoring.counts import Counts
from components._core.monitoring.reference import MonitoringReference
from components._core.request_log.answered_lines import BATCH, LineWriter
from components._core.request_log.hours import list_objects
from components._core.request_log.layout import hour_folder
from components.monitor.count_files import CountFile, count_hour
from components.monitor.count_rows import count_objects
from components.monitor.service_checks import check_batch_volume
from tests.components.monitor.request_lines import START, deploy, rows_of, write_object
from tests.components.monitor.test_monitor import read, run, serve

DAYS = 28


def predict(store: Path, days: Mapping[int, int], shift: float = 0.0, version: str = "1") -> None:
    """Write a batch at three in the morning of each day, of so many rows."""
    for day, rows in days.items():
        at = START + timedelta(days=day, hours=3)
        found = rows_of(at, rows, shift)
        others = {"source": BATCH, "latency_ms": None}
        write_object(store / "small" / "requests", at, found, f"batch-{day}-000001", version, **others)


def checks_of(section: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in section["checks"]}


def test_a_batch_that_drifted_alarms_as_a_batch_and_the_servers_rows_stay_as_they_are(
    store: Path, tmp_path: Path
) -> None:
    serve(store)
    before = read(run(tmp_path))
    predict(store, dict.fromkeys(range(DAYS), 100), shift=60.0)
    result = run(tmp_path)
    found = read(result)
    assert found["source"] == "server" and found["window"] == before["window"]
    assert checks_of(found) == checks_of(before), "not a row of a batch is among those of the servers"
    (batch,) = found["batch"]
    assert (batch["version"], batch["source"], batch["window"]["rows"]) == ("1", "batch", 700)
    moved = checks_of(batch)["skew: delay"]
    assert moved["status"] == "fail" and moved["requests"] and all("batch-" in each for each in moved["requests"])
    assert checks_of(batch)["volume"]["status"] == "pass"
    assert result.outcome.verdict == "blocked" and "delay" in result.outcome.reason
    assert "batch: skew: delay" in [check.name for check in result.outcome.checks]


def test_a_batch_has_neither_errors_nor_latency_nor_an_age(store: Path, tmp_path: Path) -> None:
    serve(store)
    predict(store, {27: 100})
    kinds = {check["kind"] for check in read(run(tmp_path))["batch"][0]["checks"]}
    assert kinds == {"volume", "coverage", "invariant", "skew", "drift", "prediction"}


def test_a_large_batch_is_no_traffic(store: Path, tmp_path: Path) -> None:
    serve(store)
    before = checks_of(read(run(tmp_path)))["volume"]
    predict(store, {27: 20_000})
    found = read(run(tmp_path))
    assert checks_of(found)["volume"] == before and before["status"] == "pass"
    assert checks_of(found["batch"][0])["volume"]["status"] == "no_baseline"


def test_a_weekly_batch_that_did_not_run_fails_although_it_left_nothing(store: Path, tmp_path: Path) -> None:
    serve(store)
    predict(store, {2: 500, 9: 500, 16: 500})
    result = run(tmp_path)
    (batch,) = read(result)["batch"]
    volume = checks_of(batch)["volume"]
    assert volume["status"] == "fail" and volume["reason"].startswith("0 rows of batch predictions, 500 in")
    assert result.outcome.verdict == "blocked"


def test_where_no_server_answers_batches_are_what_is_judged(store: Path, tmp_path: Path) -> None:
    predict(store, dict.fromkeys(range(DAYS), 200))
    found = read(run(tmp_path))
    assert (found["version"], found["source"], found["batch"], found["verdict"]) == ("1", "batch", [], "ok")
    assert found["window"]["rows"] == 1_400 and checks_of(found)["volume"]["status"] == "pass"
    assert checks_of(found)["skew: delay"]["status"] == "pass"


def test_batches_of_two_versions_are_judged_apart(store: Path, tmp_path: Path, reference: MonitoringReference) -> None:
    serve(store)
    deploy(store, reference, "2")
    predict(store, dict.fromkeys(range(21, 25), 200))
    predict(store, dict.fromkeys(range(25, 28), 200), shift=60.0, version="2")
    found = {batch["version"]: checks_of(batch)["skew: delay"]["status"] for batch in read(run(tmp_path))["batch"]}
    assert found == {"1": "pass", "2": "fail"}


# counting


def test_the_lines_that_predict_writes_are_counted_as_a_batch(tmp_path: Path, reference: MonitoringReference) -> None:
    folder = tmp_path / hour_folder(START.timestamp())
    folder.mkdir(parents=True)
    inputs = {"delay": [1.0, 2.0], "carrier": ["UA", None]}
    for source in ("", BATCH):
        writer = LineWriter("small", "1", schema="s", source=source)
        line = writer.write("a", START.timestamp(), 0.002, inputs, {"probability": np.array([0.5, 0.25])})
        (folder / f"pod-{source or 'x'}.jsonl").write_bytes(line)
    found, _ = count_objects(list_objects(str(tmp_path), START), {"1": reference}, "small")
    assert {name: (counts.rows, counts.requests) for name, counts in found.items()} == {
        "1": (2, 1),
        "1 (batch)": (2, 1),
    }
    assert found["1 (batch)"].cells["delay"].tolist() == found["1"].cells["delay"].tolist()


def test_an_object_with_both_is_split_row_by_row(tmp_path: Path, reference: MonitoringReference) -> None:
    path = write_object(tmp_path, START, rows_of(START, 6))
    lines = path.read_text().splitlines()
    mixed = [
        json.dumps({**json.loads(line), "source": BATCH}) if place % 3 == 0 else line
        for place, line in enumerate(lines)
    ]
    path.write_text("\n".join(mixed) + "\n")
    found, _ = count_objects(list_objects(str(tmp_path), START), {"1": reference}, "small")
    assert {name: counts.rows for name, counts in found.items()} == {"1": 4, "1 (batch)": 2}


@pytest.mark.parametrize(("name", "times"), [("pod-1", 0), ("batch-5a-000001", 1)])
def test_counts_of_an_earlier_naru_are_made_again_only_where_a_batch_may_be_among_them(
    tmp_path: Path, name: str, times: int
) -> None:
    log, counts = tmp_path / "log", tmp_path / "counts"
    write_object(log, START, rows_of(START, 5), name)
    (found,) = list_objects(str(log), START)
    old = CountFile((found.name,), {"1": Counts(rows=5, requests=5)}).to_bytes().replace(b'"format":3', b'"format":2')
    place = counts / hour_folder(START.timestamp())
    place.mkdir(parents=True)
    (place / "old.json").write_bytes(old)
    calls: list[int] = []

    def count(objects: Any) -> Any:
        calls.append(len(objects))
        return count_objects(objects, {})

    assert count_hour(str(log), str(counts), START, count).versions["1"].rows == 5
    assert len(calls) == times


# volume


def rows(number: int, share: float = 1.0) -> Counts:
    return Counts(rows=number, requests=number, represented=number / share)


@pytest.mark.parametrize(
    ("now", "weeks", "status"),
    [
        (500, [500, 500], "pass"),
        (251, [500, 500, 500], "pass"),
        (249, [500, 500, 500], "warn"),
        (1_001, [500, 500], "warn"),
        (0, [500, 500], "fail"),
        (0, [500], "no_baseline"),
        (900, [], "no_baseline"),
        (0, [500, 0], "skipped"),
        (9_000, [500, 0, 500], "skipped"),
    ],
)
def test_batches_have_a_usual_volume_only_where_they_come_each_week(now: int, weeks: list[int], status: str) -> None:
    found = check_batch_volume(rows(now), [rows(each) for each in weeks])
    assert found.check.status == status and found.check.measured == now


def test_a_logged_share_of_a_batch_stands_for_all_of_it() -> None:
    found = check_batch_volume(rows(50, share=0.1), [rows(500), rows(500)])
    assert (found.check.status, found.check.measured) == ("pass", 500)
