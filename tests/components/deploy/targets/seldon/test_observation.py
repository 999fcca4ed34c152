from typing import Any

from components.deploy.targets.seldon.observation import cold_start


def pod(started: str | None = "2026-01-31T09:30:00Z", ready: str = "2026-01-31T09:30:12Z") -> dict[str, Any]:
    state = {"running": {"startedAt": started}} if started else {"waiting": {}}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}]
    return {"status": {"containerStatuses": [{"state": state}], "conditions": conditions}}


def test_a_cold_start_is_from_the_containers_start_to_ready() -> None:
    assert cold_start(pod()) == 12.0
    assert cold_start(pod(started=None)) is None
    assert cold_start({"status": {}}) is None
