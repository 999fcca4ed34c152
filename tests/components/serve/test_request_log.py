"""The request log over a real folder, without any server."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.errors import ConfigError
from components._core.request_log import answered_lines
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import list_closed_hours, list_objects
from components._core.request_log.reader import read_object
from components._core.request_log.value_hashes import ValueHasher
from components._core.store.object_store import put
from components.serve import request_log
from components.serve.request_log import AnsweredRequest, LogSettings, RequestLog

NOON = 1_767_268_800.25  # 2026-01-01T12:00:00.25Z


def answered(number: int = 0, at: float = NOON, rows: int = 1) -> AnsweredRequest:
    inputs = {"delay": [float("nan")] * rows, "month": [number] * rows, "carrier": [b"AA"] * rows}
    outputs = {"probabilities": np.full((rows, 2), 0.5, np.float32), "class": np.array(["late"] * rows, dtype=object)}
    return AnsweredRequest(f"r{number}", at, 0.0015, rows, inputs, outputs)


def opened(folder: Path, **settings: Any) -> RequestLog:
    return RequestLog(LogSettings(str(folder), **{"flush_seconds": 3_600.0, **settings}), "tiny", "3", "5a")


def logged(folder: Path) -> list[dict[str, Any]]:
    """The answered requests in a log."""
    return [line for line in lines_of(folder) if "id" in line]


def lines_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.rglob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def counts_of(folder: Path) -> LogCounts:
    """Drops and refusals in a log, as its reader has them."""
    counts = LogCounts()
    for hour in list_closed_hours(str(folder), datetime(2100, 1, 1, tzinfo=UTC)):
        for found in list_objects(str(folder), hour):
            list(read_object(found, counts))
    assert counts.damaged == 0
    return counts


def wait_until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_line_has_request_and_answer(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.add(answered(7))
    log.close()
    assert logged(tmp_path) == [
        {
            "id": "r7",
            "time": "2026-01-01T12:00:00.250000+00:00",
            "model": "tiny",
            "version": "3",
            "latency_ms": 1.5,
            "inputs": {"delay": [None], "month": [7], "carrier": ["AA"]},
            "masked": [],
            "outputs": {"probabilities": [[0.5, 0.5]], "class": ["late"]},
            "share": 1.0,
            "schema": "5a",
            "log": 2,
        }
    ]


def test_a_line_has_the_values_that_were_there_when_it_was_added(tmp_path: Path) -> None:
    log, one = opened(tmp_path), answered(7)
    log.add(one)
    one.outputs["probabilities"][:] = 0.0
    log.close()
    assert logged(tmp_path)[0]["outputs"]["probabilities"] == [[0.5, 0.5]]


def test_answers_and_refusals_that_come_while_an_object_is_written_do_not_make_objects_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At overload refusals never stop coming: an object for each write would keep the log writing without a pause."""
    log, written = opened(tmp_path, flush_rows=1), list[float]()

    def put_while_more_comes(content: bytes, uri: str) -> None:
        written.append(time.monotonic())
        log.add(answered(len(written), time.time()))
        log.count_refusal("too_busy")
        put(content, uri)

    monkeypatch.setattr(request_log, "put", put_while_more_comes)
    log.add(answered(at=time.time()))
    wait_until(lambda: len(written) == 3)
    monkeypatch.undo()
    log.close()
    assert min(later - one for one, later in pairwise(written)) > 0.9 * request_log._REST_SECONDS
    assert len(logged(tmp_path)) == 4 and counts_of(tmp_path).refused == {("3", "too_busy"): 3}


def test_lines_lie_by_the_hour_of_the_answer(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for number, at in enumerate((NOON, NOON + 1, NOON + 3_600)):
        log.add(answered(number, at))
    log.close()
    folders = {file.parent.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.jsonl")}
    assert folders == {"dt=2026-01-01/hour=12", "dt=2026-01-01/hour=13"} and len(logged(tmp_path)) == 3
    assert log.written == 3 and log.dropped == 0 and log.waiting == 0


def test_a_full_batch_is_written_at_once_and_the_rest_at_its_age(tmp_path: Path) -> None:
    by_size = opened(tmp_path / "size", flush_rows=5)
    for number in range(5):
        by_size.add(answered(number))
    wait_until(lambda: by_size.written == 5)
    by_age = opened(tmp_path / "age", flush_seconds=0.05)
    by_age.add(answered())
    wait_until(lambda: by_age.written == 1)
    by_size.close()
    by_age.close()


def test_masked_values_never_reach_the_store(tmp_path: Path) -> None:
    log = opened(tmp_path, masked=frozenset({"carrier"}))
    log.add(answered())
    log.close()
    (line,) = logged(tmp_path)
    assert line["masked"] == ["carrier"] and line["inputs"] == {"delay": [None], "month": [0], "carrier": None}


def test_the_id_decides_what_is_sampled(tmp_path: Path) -> None:
    for name in ("one", "other"):
        log = opened(tmp_path / name, sample=0.3)
        for number in range(1_000):
            log.add(answered(number))
        log.close()
    one, other = ({line["id"] for line in logged(tmp_path / name)} for name in ("one", "other"))
    assert one == other and 230 < len(one) < 370
    assert {line["share"] for line in logged(tmp_path / "one")} == {0.3}


def test_what_finds_no_room_is_dropped_and_counted(tmp_path: Path) -> None:
    log = opened(tmp_path, queue_rows=10)
    for number in range(4):
        log.add(answered(number, rows=3))
    assert log.dropped == 1 and log.waiting == 3
    log.close()
    assert [line["id"] for line in logged(tmp_path)] == ["r0", "r1", "r2"]
    assert lines_of(tmp_path)[-1] == {"dropped": 1, "model": "tiny", "version": "3", "log": 2}


def test_drops_are_counted_in_the_hour_of_their_answers(tmp_path: Path) -> None:
    log = opened(tmp_path, queue_rows=1)
    log.add(answered(0))
    for number in range(3):
        log.add(answered(number, NOON + 3_600))
    log.close()
    assert lines_of(tmp_path / "dt=2026-01-01" / "hour=12")[0]["id"] == "r0"
    assert [line["dropped"] for line in lines_of(tmp_path / "dt=2026-01-01" / "hour=13")] == [3]
    assert counts_of(tmp_path).dropped == {"3": 3} and log.dropped == 3


def test_refusals_are_counted_by_code_also_without_an_answer(tmp_path: Path) -> None:
    log = opened(tmp_path, flush_seconds=0.05, sample=0.0)
    for code in ("wrong_type", "wrong_type", "too_busy"):
        log.count_refusal(code)
    wait_until(lambda: list(tmp_path.rglob("*.jsonl")))
    log.count_refusal("wrong_type")
    log.close()
    assert counts_of(tmp_path).refused == {("3", "wrong_type"): 3, ("3", "too_busy"): 1}
    assert log.waiting == log.written == log.dropped == 0


def test_counts_outlive_a_store_that_is_away(tmp_path: Path) -> None:
    in_the_way = tmp_path / "log"
    in_the_way.write_text("no folder")
    log = opened(in_the_way, flush_seconds=0.02)
    log.add(answered(at=time.time()))
    log.count_refusal("wrong_type")
    wait_until(lambda: log.dropped == 1)
    in_the_way.unlink()
    log.close()
    counts = counts_of(in_the_way)
    assert counts.dropped == {"3": 1} and counts.refused == {("3", "wrong_type"): 1} and counts.requests == 0


def test_a_store_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    in_the_way = tmp_path / "log"
    in_the_way.write_text("no folder")
    log = opened(in_the_way, flush_seconds=0.2, flush_rows=1)
    log.add(answered())
    wait_until(lambda: log.failures)
    in_the_way.unlink()
    wait_until(lambda: log.written == 1)
    log.close()
    assert [line["id"] for line in logged(in_the_way)] == ["r0"] and log.dropped == 0


def test_a_store_that_stays_away_costs_what_waited_and_it_is_counted(tmp_path: Path) -> None:
    in_the_way = tmp_path / "log"
    in_the_way.write_text("no folder")
    log = opened(in_the_way, flush_seconds=0.02)
    log.add(answered())
    wait_until(lambda: log.dropped == 1)
    log.add(answered())
    log.close()
    assert log.dropped == 2 and log.written == log.waiting == 0


@pytest.mark.parametrize("uri", ["s3://", "http://somewhere/log", "nothing://x", "", "file:///"])
def test_a_place_that_can_never_be_written_to_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="--log"):
        LogSettings(uri).check(["delay"])


def test_a_masked_feature_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown features carier; the model takes delay, carrier"):
        LogSettings(str(tmp_path), masked=frozenset({"carier"})).check(["delay", "carrier"])


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--log-flush-seconds"):
        LogSettings(str(tmp_path), flush_seconds=0.0).check(["delay"])


@pytest.mark.parametrize("quick", [True, False], ids=["orjson", "json"])
def test_what_json_has_no_word_for_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    if not quick:
        monkeypatch.setattr(answered_lines, "orjson", None)
    odd = {"carrier": [b"Z\xc3\xbcrich", "\ud800", None], "delay": [float("nan"), 10**30, 1.5]}
    log = opened(tmp_path)
    log.add(AnsweredRequest("r", NOON, 0.001, 3, odd, {"prediction": np.zeros(3, np.float32)}))
    log.close()
    (line,) = logged(tmp_path)
    assert line["inputs"] == {"carrier": ["Zürich", "\ud800", None], "delay": [None, 10**30, 1.5]}
    assert line["outputs"] == {"prediction": [0.0, 0.0, 0.0]}


def of_text(number: int, length: int) -> AnsweredRequest:
    return dataclasses.replace(answered(number), inputs={"carrier": ["x" * length]})


def test_what_waits_is_bounded_in_bytes_and_what_is_above_is_counted(tmp_path: Path) -> None:
    log = opened(tmp_path, queue_bytes=1_000_000, flush_bytes=10**9)
    for number in range(30):
        log.add(of_text(number, 100_000))
    waiting = log.waiting
    assert 5 <= waiting < 10 and log.dropped == 30 - waiting
    log.close()
    assert len(logged(tmp_path)) == log.written == waiting and log.dropped == 30 - waiting


def test_large_requests_are_written_before_their_rows_are_many(tmp_path: Path) -> None:
    log = opened(tmp_path, flush_bytes=300_000)
    for number in range(12):
        log.add(of_text(number, 100_000))
    wait_until(lambda: log.written >= 9)
    log.close()
    assert log.written == 12 and log.dropped == 0 and log._bytes == log._rows == 0
    assert all(path.stat().st_size < 1_000_000 for path in tmp_path.rglob("*.jsonl"))


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o022])
def test_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        log = opened(tmp_path)
        log.add(answered())
        log.close()
    finally:
        os.umask(before)
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_of_a_hashed_feature_hashes_are_logged_and_no_values(tmp_path: Path) -> None:
    hasher = ValueHasher(b"0123456789abcdef0123456789abcdef")
    names = frozenset({"carrier", "month"})
    log = opened(tmp_path, masked=names | {"delay"}, hashed=names, hasher=hasher)
    log.add(answered(7, rows=2))
    log.close()
    (line,) = logged(tmp_path)
    assert line["inputs"] == {"delay": None, "month": None, "carrier": None}
    assert line["masked"] == ["carrier", "delay", "month"]
    assert line["hashes"] == {"carrier": hasher.hash(["AA"] * 2), "month": hasher.hash(["7"] * 2)}


def test_only_a_masked_feature_can_be_hashed(tmp_path: Path) -> None:
    settings = LogSettings(str(tmp_path), masked=frozenset({"month"}), hashed=frozenset({"carrier"}))
    with pytest.raises(ConfigError, match="found carrier; only features of --log-mask can be hashed"):
        settings.check(["month", "carrier"])
