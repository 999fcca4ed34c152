"""Where a run's time went: each stage's own seconds beside those that the cluster added, for whoever followed it to its end.

KFP knows how long a stage took in all; what of it was the stage's own stands in its pod, so Kubernetes is asked for the pods.
Where it cannot be asked, the totals are shown alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from components._core.errors import NaruError
from pipelines.kfp.run_watch import POLL, RUN_LABEL, stages_of
from pipelines.kfp.server_state import Server
from pipelines.stage_durations import Told, stage_times, time_lines, told_by_pods

_LOOKS = 6
"""KFP tells of the last stage some seconds after it tells of the run's end: so often we look again for it."""


_NOTE = "own: imports and work of the stage; waiting: pods, polls and artifacts, which the cluster adds"
_LACKING = "what of it was the stages' own stands in their pods: set KUBECONFIG to see it"


def spent_lines(server: Server, run: Mapping[str, Any], poll: float = POLL) -> list[str]:
    """The table of a run that has ended, line by line; none when no stage of ours had begun.

    Args:
        server: Where it ran.
        run: As `wait` returned it.
        poll: Seconds between two looks.
    """
    told = _told_in_kubernetes(str(run["run_id"]))
    times = stage_times(_tasks(_settled(server, run, poll)), told)
    return [*time_lines(times), _LACKING if told is None else _NOTE] if times else []


def _settled(server: Server, run: Mapping[str, Any], poll: float) -> Mapping[str, Any]:
    """The run once KFP tells of its last stage too, or as it was told last."""
    for _ in range(_LOOKS):
        if not any(stage.state == "RUNNING" for stage in stages_of(run)):
            break
        time.sleep(poll)
        try:
            run = server.kfp.get(f"/runs/{run['run_id']}")
        except NaruError:  # how it ended is known already: that must be told all the same
            break
    return run


def _tasks(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (run.get("run_details") or {}).get("task_details") or []


def _told_in_kubernetes(run_id: str) -> dict[str, Told] | None:
    from components._cluster.kubernetes_client import Cluster

    try:
        return told_by_pods(Cluster().list_all("v1", "Pod", f"{RUN_LABEL}={run_id}"))
    except NaruError:  # no cluster, or no permission
        return None
