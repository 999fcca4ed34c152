"""The shadow's queue: bounded, dropped first under load, and never in the way of an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from sys import getsizeof
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from components._core.request_log.live_test_lines import read_live_lines
from components.serve.label_log import LabelLog
from components.serve.live_test.challenger_client import ChallengerError
from components.serve.live_test.contract import LiveTestSettings
from components.serve.live_test.mirror import QUEUE_BYTES, QUEUE_REQUESTS, Mirror, _bytes_of
from components.serve.request_log import AnsweredRequest, LogSettings

SETTINGS = LiveTestSettings("000001-a", "3", "4", 1.0)


class Challenger:
    """A version under test that answers as it is told, when it may."""

    def __init__(self, answer: Callable[[str], float] = lambda _: 0.25) -> None:
        self.may, self.asked = threading.Event(), list[str]()
        self._answer = answer

    def ask(self, request_id: str, columns: Any) -> dict[str, Any]:
        self.may.wait(30)
        self.asked.append(request_id)
        return {"probability": np.array([self._answer(request_id)], np.float32)}


def make(folder: Path, challenger: Any, *, share: float = 1.0, busy: Callable[[], bool] = lambda: False) -> Mirror:
    settings = LiveTestSettings("000001-a", "3", "4", share)
    log = LabelLog(LogSettings(str(folder), flush_seconds=600), "lines of a live test")
    return Mirror(settings, challenger, log, busy)


def answered(request_id: str, rows: int = 1) -> AnsweredRequest:
    outputs = {"probability": np.full(rows, 0.5, np.float32)}
    return AnsweredRequest(request_id, time.time(), 0.001, rows, {"x": [1.0] * rows}, outputs)


def metrics(mirror: Mirror) -> list[str]:
    registry = CollectorRegistry()
    registry.register(mirror)
    return generate_latest(registry).decode().splitlines()


def settle(mirror: Mirror, challenger: Challenger, requests: int) -> None:
    until = time.monotonic() + 30
    while len(challenger.asked) < requests and time.monotonic() < until:
        time.sleep(0.005)
    mirror.close()


def test_each_request_is_copied_compared_and_logged_with_both_answers(tmp_path: Path) -> None:
    challenger = Challenger()
    challenger.may.set()
    mirror = make(tmp_path, challenger)
    for name in ("a", "b"):
        mirror.add(answered(name))
    settle(mirror, challenger, 2)
    found = read_live_lines(str(tmp_path), datetime.now(UTC))
    assert [request.id for request in found.requests] == ["a", "b"] == challenger.asked
    first = found.requests[0]
    assert first.champion is not None and first.champion.outputs == {"probability": [0.5]}
    assert first.challenger is not None and first.challenger.outputs == {"probability": [0.25]}
    assert "naru_shadow_compared_total 2.0" in metrics(mirror)
    assert "naru_shadow_largest_difference 0.25" in metrics(mirror)


def test_when_the_shadow_is_slow_the_queue_fills_and_what_is_above_it_is_dropped_and_counted(tmp_path: Path) -> None:
    challenger = Challenger()
    mirror = make(tmp_path, challenger)
    mirror.add(answered("first"))
    until = time.monotonic() + 30
    while "naru_shadow_waiting 0.0" not in metrics(mirror) and time.monotonic() < until:
        time.sleep(0.005)  # the thread has taken it, and waits for the shadow
    began = time.perf_counter()
    for number in range(QUEUE_REQUESTS + 40):
        mirror.add(answered(str(number)))
    each = (time.perf_counter() - began) / (QUEUE_REQUESTS + 40)
    assert each < 0.001, "nobody waits for the shadow"
    lines = metrics(mirror)
    assert f"naru_shadow_waiting {QUEUE_REQUESTS}.0" in lines
    assert 'naru_shadow_dropped_total{reason="full"} 40.0' in lines
    challenger.may.set()
    settle(mirror, challenger, QUEUE_REQUESTS + 1)
    assert read_live_lines(str(tmp_path), datetime.now(UTC)).lost["full"] == 40


def test_long_texts_fill_the_queue_by_their_bytes(tmp_path: Path) -> None:
    challenger = Challenger()
    mirror = make(tmp_path, challenger)
    text = "x" * (QUEUE_BYTES // 4)
    for number in range(8):
        one = answered(str(number))
        mirror.add(AnsweredRequest(one.id, one.time, one.seconds, 1, {"x": [text]}, one.outputs))
    challenger.may.set()
    settle(mirror, challenger, 3)
    assert read_live_lines(str(tmp_path), datetime.now(UTC)).lost["full"] >= 4


@pytest.mark.parametrize(
    "values",
    [
        ["a", "bc" * 500, "ü", "한글"] * 300,
        ["a", None, "bc" * 500] * 300,
        [b"a", b"bc" * 500] * 300,
        [1, 2.5, None] * 300,
        ["a", 7, b"b"] * 300,
        np.arange(900.0),
        [],
    ],
)
def test_the_memory_of_a_copy_is_estimated_from_its_values(values: Any) -> None:
    """Not below what Python says of each value, and above it by the room for a number at most."""
    request = AnsweredRequest("a", 0.0, 0.0, len(values), {"x": values}, {})
    exact = values.nbytes if isinstance(values, np.ndarray) else sum(map(getsizeof, values))
    assert exact <= _bytes_of(request) <= exact + 32 * len(values)


def test_under_load_nothing_is_copied_at_all(tmp_path: Path) -> None:
    challenger, load = Challenger(), [True]
    challenger.may.set()
    mirror = make(tmp_path, challenger, busy=lambda: load[0])
    mirror.add(answered("a"))
    load[0] = False
    mirror.add(answered("b"))
    settle(mirror, challenger, 1)
    assert challenger.asked == ["b"]
    assert read_live_lines(str(tmp_path), datetime.now(UTC)).lost == {"busy": 1}


def test_a_failure_is_a_line_and_a_shadow_that_is_not_there_only_a_count(tmp_path: Path) -> None:
    def fail(request_id: str) -> float:
        raise ChallengerError({"a": "failed", "b": "unreachable"}.get(request_id, "refused"))

    challenger = Challenger(fail)
    challenger.may.set()
    mirror = make(tmp_path, challenger)
    for name in ("a", "b", "c"):
        mirror.add(answered(name))
    settle(mirror, challenger, 3)
    found = read_live_lines(str(tmp_path), datetime.now(UTC))
    assert [(request.id, request.failed) for request in found.requests] == [("a", "failed"), ("c", "refused")]
    assert found.lost == {"unreachable": 1}
    assert 'naru_shadow_failed_total{code="refused"} 1.0' in metrics(mirror)


def test_a_share_of_the_requests_is_chosen_by_their_ids(tmp_path: Path) -> None:
    challenger = Challenger()
    challenger.may.set()
    mirror = make(tmp_path, challenger, share=0.3)
    ids = [f"request-{number}" for number in range(200)]
    for name in ids:
        mirror.add(answered(name))
    time.sleep(0.2)
    mirror.close()
    assert 30 < len(challenger.asked) < 90 and set(challenger.asked) < set(ids)


def test_what_waits_at_the_end_is_counted_and_the_end_is_not_delayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.serve.live_test.mirror._CLOSING_SECONDS", 0.2)
    challenger = Challenger()
    mirror = make(tmp_path, challenger)
    for number in range(5):
        mirror.add(answered(str(number)))
    began = time.monotonic()
    mirror.close()
    assert time.monotonic() - began < 2
    assert read_live_lines(str(tmp_path), datetime.now(UTC)).lost["ending"] in (4, 5)
    challenger.may.set()
