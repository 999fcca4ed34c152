from components._core.project.gate_config import ServingGates
from components.deploy.rollout.footprint import judge_footprint
from components.deploy.server_metrics import Counts
from components.deploy.targets.contract import Server

READY = Server("1", "pod", 12.0)


def test_what_is_above_its_bound_fails_and_what_has_no_bound_is_not_judged() -> None:
    counts = Counts(memory=7.0e8)
    assert judge_footprint(READY, counts, ServingGates()) == []
    checks = judge_footprint(READY, counts, ServingGates(cold_start_seconds=10, memory_mb=800))
    assert [(check.name, check.status) for check in checks] == [("cold start (s)", "fail"), ("memory (MB)", "pass")]


def test_unreported_memory_does_not_count_as_zero() -> None:
    (check,) = judge_footprint(READY, Counts(), ServingGates(memory_mb=1))
    assert check.status == "skipped"
