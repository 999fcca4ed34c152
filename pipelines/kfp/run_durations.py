"""Durations of a run's stages: each stage's own seconds beside those that the cluster added.

KFP knows how long a stage took in all; the stage's own seconds are in its pod's status, so the pods are read from Kubernetes.
If they cannot be read, only the totals are shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from components._core.errors import NaruError
from components._kfp.server_state import Server
from pipelines.kfp.run_watch import POLL, RUN_LABEL, stages_of
from pipelines.stage_durations import StageReport, reports_from_pods, stage_times, time_lines

_ATTEMPTS = 6
"""Number of polls for the last stage: KFP reports its end some seconds after the end of the run."""


_NOTE = "own: imports and work of the stage; waiting: pods, polls and artifacts, which the cluster adds"
_NO_PODS_NOTE = "the stages' own seconds are in their pods: set KUBECONFIG to see them"


def duration_lines(server: Server, run: Mapping[str, Any], poll: float = POLL) -> list[str]:
    """Format the table of a run that has ended, a line per stage; empty when no stage had begun.

    Args:
        server: The server that ran it.
        run: The run as `wait_for_run` returned it.
        poll: Seconds between two polls.
    """
    reports = _reports_from_kubernetes(str(run["run_id"]))
    times = stage_times(_tasks(_wait_for_last_stage(server, run, poll)), reports, str(run.get("state") or ""))
    return [*time_lines(times), _NO_PODS_NOTE if reports is None else _NOTE] if times else []


def _wait_for_last_stage(server: Server, run: Mapping[str, Any], poll: float) -> Mapping[str, Any]:
    """Wait until KFP reports the end of the last stage too; returns the run as last read."""
    for _ in range(_ATTEMPTS):
        if not any(stage.state == "RUNNING" for stage in stages_of(run)):
            break
        time.sleep(poll)
        try:
            run = server.kfp.get(f"/runs/{run['run_id']}")
        except NaruError:  # how the run ended is known already, and is reported all the same
            break
    return run


def _tasks(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (run.get("run_details") or {}).get("task_details") or []


def _reports_from_kubernetes(run_id: str) -> dict[str, StageReport] | None:
    from components._cluster.kubernetes_client import Cluster

    try:
        return reports_from_pods(Cluster().list_all("v1", "Pod", f"{RUN_LABEL}={run_id}"))
    except NaruError:  # no cluster, or no permission
        return None
