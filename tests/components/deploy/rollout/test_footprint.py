from typing import Any

from components._core.project.serving_config import ServingGates
from components.deploy.rollout.footprint import cold_start, judge_footprint
from components.deploy.targets.seldon.pods import Counts, _from_seldon, _to_seldon


def pod(started: str | None = "2026-01-31T09:30:00Z", ready: str = "2026-01-31T09:30:12Z") -> dict[str, Any]:
    state = {"running": {"startedAt": started}} if started else {"waiting": {}}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}]
    return {"status": {"containerStatuses": [{"state": state}], "conditions": conditions}}


def test_a_cold_start_is_from_the_containers_start_to_ready() -> None:
    assert cold_start(pod()) == 12.0
    assert cold_start(pod(started=None)) is None


def test_what_is_above_its_bound_fails_and_what_has_no_bound_is_not_judged() -> None:
    counts = Counts(memory=7.0e8)
    assert judge_footprint(pod(), counts, ServingGates()) == []
    checks = judge_footprint(pod(), counts, ServingGates(cold_start_seconds=10, memory_mb=800))
    assert [(check.name, check.status) for check in checks] == [("cold start (s)", "fail"), ("memory (MB)", "pass")]


def test_requests_and_answers_are_put_into_seldons_words_and_back() -> None:
    asked = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [2], "data": [6, None]}]}
    assert _to_seldon(asked) == {"jsonData": {"hour": [6, None]}}
    told = {
        "jsonData": {"class": ["a", "b"], "probabilities": [[0.25, 0.75], [0.5, 0.5]]},
        "meta": {"tags": {"model_version": "3"}},
    }
    body = _from_seldon(told)
    assert body["model_version"] == "3"
    assert [(one["datatype"], one["shape"]) for one in body["outputs"]] == [("BYTES", [2]), ("FP32", [2, 2])]
    refused = {"status": {"code": 400, "info": "wrong_type: 'hour', row 0"}}
    assert _from_seldon(refused) == {"error": "wrong_type: 'hour', row 0"}


def test_memory_that_is_not_told_is_not_taken_for_none() -> None:
    (check,) = judge_footprint(pod(), Counts(), ServingGates(memory_mb=1))
    assert check.status == "skipped"
