"""What a served pod took to come up, and holds: the bounds of the project that need no load to be judged."""

from __future__ import annotations

from datetime import datetime

from components._cluster.kubernetes_client import Object
from components._core.checks import Check
from components._core.project.serving_config import ServingGates
from components.deploy.performance import at_most
from components.deploy.targets.seldon.pods import Counts


def judge_footprint(pod: Object, counts: Counts, gates: ServingGates) -> list[Check]:
    """A check for each of the two bounds that is set: `cold_start_seconds` and `memory_mb`."""
    checks = [
        at_most("cold start (s)", cold_start(pod), gates.cold_start_seconds),
        at_most("memory (MB)", round(counts.memory / 1e6, 1) if counts.memory else None, gates.memory_mb),
    ]
    return [check for check in checks if check is not None]


def cold_start(pod: Object) -> float | None:
    """Seconds from the start of the server's container, its model fetched, until the pod was ready; None: not told."""
    status = pod.get("status", {})
    started = [
        container.get("state", {}).get("running", {}).get("startedAt") for container in status["containerStatuses"]
    ]
    ready = [one.get("lastTransitionTime") for one in status.get("conditions", []) if one["type"] == "Ready"]
    if not all(started) or not all(ready) or not ready:
        return None
    return (datetime.fromisoformat(ready[0]) - min(map(datetime.fromisoformat, started))).total_seconds()
