from typing import Any

import numpy as np
import pytest

from components._core.checks import Check
from components._core.project.gate_config import ServingGates
from components._core.project.serving_config import CanarySteps
from components.deploy.rollout.bake import Bake, judge_bake
from components.deploy.rollout.logged_predictions import by_chance, distance
from components.deploy.server_metrics import Counts, add_up, read_counts

QUICK = {0.005: 900.0, 0.01: 1000.0, float("inf"): 1000.0}
SLOW = {0.005: 0.0, 0.01: 100.0, 0.25: 1000.0, float("inf"): 1000.0}
PAGE = """# HELP naru_requests_total Requests that reached the predictor
naru_requests_total 1000.0
naru_refusals_total{code="wrong_type"} 40.0
naru_refusals_total{code="model_failed"} 2.0
naru_refusals_total{code="too_busy"} 3.0
naru_refusals_total{code="unexpected"} 0.0
naru_request_seconds_bucket{le="0.005"} 900.0
naru_request_seconds_bucket{le="0.01"} 955.0
naru_request_seconds_bucket{le="+Inf"} 955.0
naru_request_seconds_created 1.7e+09
process_resident_memory_bytes 5.0e+08
"""


def counts(buckets: dict[float, float] = QUICK, failed: float = 0.0) -> Counts:
    return Counts(buckets[float("inf")], failed, buckets)


def judged(bake: Bake, **settings: Any) -> dict[str, Check]:
    return {check.name: check for check in judge_bake(bake, CanarySteps(**settings), ServingGates())}


def test_a_canary_like_the_stable_version_passes() -> None:
    checks = judged(Bake(counts(), counts(), predictions=([0.1, 0.2] * 50, [0.1, 0.2] * 50)))
    assert {check.status for check in checks.values()} == {"pass"}


def test_a_canary_that_fails_more_often_is_taken_back() -> None:
    check = judged(Bake(counts(failed=30.0), counts(failed=5.0)))["errors"]
    assert (check.status, check.measured, check.baseline) == ("fail", 0.03, 0.005)
    assert "3.00% of 1000 requests failed, 0.50% of 1000" in check.reason


def test_a_canary_as_bad_as_the_stable_version_is_not_blamed_for_it() -> None:
    assert judged(Bake(counts(failed=30.0), counts(failed=30.0)))["errors"].status == "pass"


def test_a_slow_canary_fails_when_it_is_above_the_gate_too() -> None:
    name = "p95 latency (ms)"
    assert judged(Bake(counts(SLOW), counts(QUICK)))[name].status == "fail"
    assert judged(Bake(counts(SLOW), counts(SLOW)))[name].status == "warn"  # above the gate, as the other one is
    twice = {0.01: 900.0, 0.025: 1000.0, float("inf"): 1000.0}
    assert judged(Bake(counts(twice), counts(QUICK)))[name].status == "warn"  # slower, and far from the gate


def test_too_few_requests_are_reported_and_do_not_roll_back() -> None:
    few = Counts(7.0, 7.0, {float("inf"): 0.0})
    checks = judged(Bake(few, counts()))
    assert checks["errors"].status == checks["p95 latency (ms)"].status == "no_baseline"
    assert "7 and 1000 requests in this step; 50 to each version are required" in checks["errors"].reason


def test_a_restart_takes_it_back() -> None:
    assert judged(Bake(counts(), counts(), restarts=1))["restarts"].status == "fail"


def test_predictions_that_moved_take_it_back() -> None:
    ours, theirs = np.linspace(0.5, 1, 200).tolist(), np.linspace(0, 1, 200).tolist()
    check = judged(Bake(counts(), counts(), predictions=(ours, theirs)))["predictions"]
    assert check.status == "fail" and check.measured == pytest.approx(0.5, abs=0.01)


def test_without_a_request_log_or_enough_of_it_predictions_are_not_judged_and_that_is_said() -> None:
    assert judged(Bake(counts(), counts()))["predictions"].status == "skipped"
    assert judged(Bake(counts(), counts(), unread="the store is away"))["predictions"].reason == "the store is away"
    few = judged(Bake(counts(), counts(), predictions=([0.1], [0.2])))["predictions"]
    assert few.status == "no_baseline" and "1 and 1 predictions are in the request log" in few.reason


def test_small_samples_of_one_distribution_are_not_taken_for_drift() -> None:
    random = np.random.default_rng(7)
    apart = [distance(random.random(60).tolist(), random.random(60).tolist()) for _ in range(300)]
    assert max(apart) <= max(0.3, by_chance(60, 60))


def test_classes_are_compared_by_their_shares() -> None:
    assert distance(["a"] * 8 + ["b"] * 2, ["a"] * 5 + ["b"] * 5) == pytest.approx(0.3)


def test_a_page_of_metrics_is_read_by_the_names_that_the_server_has() -> None:
    read = read_counts(PAGE)
    assert (read.requests, read.failed, read.memory) == (1000.0, 5.0, 5.0e8)
    assert read.quantile(0.95) == pytest.approx(0.005 + 0.005 * (0.95 * 955 - 900) / 55)


def test_counts_are_differences_and_a_restarted_server_counts_from_zero() -> None:
    before, after = Counts(100.0, 1.0, {float("inf"): 99.0}), Counts(150.0, 3.0, {float("inf"): 147.0})
    assert after.since(before) == Counts(50.0, 2.0, {float("inf"): 48.0})
    assert before.since(after) == before
    assert add_up([before, after]).requests == 250.0


def test_the_names_read_here_are_those_that_the_server_publishes() -> None:
    from prometheus_client import generate_latest

    from components.serve.prometheus_metrics import Metrics

    metrics = Metrics("flights", "3")
    with metrics.counted():
        metrics.count_answer(1, 0.004)
    read = read_counts(generate_latest(metrics.registry).decode())
    assert (read.requests, read.failed) == (1.0, 0.0)
    assert read.buckets[float("inf")] == 1.0 and read.memory > 0
