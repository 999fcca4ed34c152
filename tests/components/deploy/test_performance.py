"""What was measured under load, held against the bounds that are set and against the champion."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.checks import Check
from components._core.project.gate_config import ServingGates
from components._core.types.signature import Feature
from components.deploy import performance
from components.deploy.load_generator import Load
from components.deploy.performance import AGAINST_CHAMPION, Performance, Served, judge_performance, measure

NONE_THERE = "there is no champion to compare with"


def performance_of(milliseconds: float = 2.0, memory: float | None = 700.0, **more: Any) -> Performance:
    statuses = more.get("by_status", {200: 1_000})
    load = Load(4, 2.0, sum(statuses.values()), statuses, [milliseconds] * statuses.get(200, 0))
    return Performance(load, 5.0, memory, 0.5)


def judged(
    ours: Performance, theirs: Performance | None = None, not_compared: str = "", **bounds: float
) -> dict[str, Check]:
    gates = ServingGates.model_validate(bounds)
    checks = judge_performance(ours, theirs, "champion v1" if theirs else "", not_compared, gates)
    return {check.name: check for check in checks}


def test_without_a_bound_there_is_no_check() -> None:
    assert list(judged(performance_of())) == ["error rate"]


@pytest.mark.parametrize(
    ("bound", "name", "kept", "missed"),
    [
        ("throughput", "requests per second", 500, 501),
        ("cold_start_seconds", "cold start (s)", 5, 4.9),
        ("memory_mb", "memory (MB)", 700, 699),
        ("size_mb", "model size (MB)", 0.5, 0.4),
    ],
)
def test_each_bound_that_is_set_is_a_check(bound: str, name: str, kept: float, missed: float) -> None:
    assert judged(performance_of(), **{bound: kept})[name].status == "pass"
    found = judged(performance_of(), **{bound: missed})[name]
    assert (found.status, found.threshold) == ("fail", missed)


def test_requests_that_failed_under_load_block_and_are_reported_by_status() -> None:
    found = judged(performance_of(by_status={0: 1, 200: 997, 429: 2}))["error rate"]
    assert (found.status, found.measured, found.n) == ("fail", pytest.approx(0.003), 1_000)
    assert found.reason == "3 of 1,000 requests failed: 1 with no answer, 2 with 429; the bound is 0"


def test_a_system_that_does_not_report_memory_skips_its_check() -> None:
    assert judged(performance_of(memory=None), memory_mb=100)["memory (MB)"].status == "skipped"


def test_a_version_may_be_slower_than_the_champion_by_so_much_and_no_more() -> None:
    ours, theirs = performance_of(3.0), performance_of(2.0)
    allowed = judged(ours, theirs, slower_percent=50)[AGAINST_CHAMPION]
    assert (allowed.status, allowed.measured, allowed.baseline, allowed.threshold) == ("pass", 3.0, 2.0, 3.0)
    refused = judged(ours, theirs, slower_percent=49)[AGAINST_CHAMPION]
    assert refused.status == "fail"
    assert "3 ms against 2 ms of champion v1: 50 % slower; the bound is 49 % slower" in refused.reason
    assert "50 % faster" in judged(performance_of(1.0), theirs, slower_percent=0)[AGAINST_CHAMPION].reason


def test_a_champion_that_was_not_compared_is_reported_and_never_a_silent_pass() -> None:
    none = judged(performance_of(), not_compared=NONE_THERE, slower_percent=50)[AGAINST_CHAMPION]
    assert (none.status, none.reason) == ("skipped", NONE_THERE)
    gates = ServingGates(slower_percent=50)
    gone = judge_performance(performance_of(), None, "champion v1", "it is gone", gates)[1]
    assert (gone.status, gone.reason) == ("no_baseline", "it is gone")
    silent = judged(performance_of(), performance_of(by_status={429: 9}), slower_percent=50)[AGAINST_CHAMPION]
    assert (silent.status, silent.reason) == ("no_baseline", "champion v1 answered nothing")


def test_a_version_that_answers_nothing_fails_against_any_champion() -> None:
    found = judged(performance_of(by_status={0: 5}), performance_of(), slower_percent=50)[AGAINST_CHAMPION]
    assert found.status == "fail" and found.measured is None


class Ready:
    """A running server, of which only the numbers are read."""

    host = "127.0.0.1"
    ready_seconds = 5.0

    def __init__(self, port: int) -> None:
        self.port = port

    def resident_mb(self) -> float:
        return 700.0


def test_two_versions_take_turns_and_get_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, float]] = []

    def drive(_host: str, port: int, _path: str, bodies: list[bytes], *, clients: int, seconds: float) -> Load:
        calls.append((port, seconds))
        return Load(clients, seconds, len(bodies), {200: len(bodies)}, [1.0] * len(bodies))

    monkeypatch.setattr(performance, "drive", drive)
    (tmp_path / "weights").write_bytes(b"0" * 2_000_000)
    features = (Feature("x", "float32", True),)
    versions = [Served(Ready(port), "tiny", tmp_path) for port in (1, 2)]
    for version in versions:
        vars(version)["features"] = features
    rows = pa.table({"x": pa.array([1.0, None, 3.0], pa.float32())})
    ours, theirs = measure(versions, rows, ServingGates(load_seconds=4.0))
    warm_up, turns = calls[:2], calls[2:]
    assert [port for port, _ in warm_up] == [1, 2]
    assert turns == [(1, 0.5), (2, 0.5), (2, 0.5), (1, 0.5)] * 2
    assert ours.load.seconds == theirs.load.seconds == 2.0
    assert ours.load.by_status == {200: 12} and ours.size_mb == 2.0
    measure(versions[:1], rows, ServingGates(load_seconds=4.0))
    assert calls[-1] == (1, 4.0)
