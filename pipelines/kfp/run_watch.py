"""Follow a run to its end, by its stages; Argo's other nodes are ignored.

A run whose workflow was removed never ends: KFP reports it as CANCELING or RUNNING for ever. So one that has been
CANCELING for too long counts as cancelled, and one without progress is looked up on the cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components._core.errors import NaruError, UnavailableError
from components._kfp.kfp_client import JsonObject
from components._kfp.server_state import FINAL, Server
from components.stages import STAGES
from pipelines.stage_durations import NOT_BEGUN, is_cached

POLL = 5.0
_PATIENCE = 60
"""Number of polls in a row without an answer before waiting ends; the client retries each of them."""


GONE_AFTER = 600.0
"""Seconds that cancelling a run may take, and that a run may be without progress before its workflow is looked up."""

RUN_LABEL = "pipeline/runid"


@dataclass(frozen=True)
class StageStatus:
    """Status of a stage of a run.

    Attributes:
        name: Name of the stage.
        state: KFP's state; `SKIPPED` means taken from the cache, because nothing in the graph is conditional, also where KFP
            reports SUCCEEDED.
        seconds: Its duration, once it has ended.
        pods: Argo's names of its pods.
    """

    name: str
    state: str
    seconds: float = 0.0
    pods: tuple[str, ...] = ()


def wait_for_run(
    server: Server, run_id: str, report: Callable[[str], None], poll: float = POLL, patience: float = GONE_AFTER
) -> JsonObject:
    """Follow a run until it has ended; returns it as last read.

    Args:
        server: The server that runs it.
        run_id: Its id.
        report: Called with a line whenever a stage begins or ends.
        poll: Seconds between two polls.
        patience: Seconds after which a run without progress is looked up on the cluster.

    Raises:
        UnavailableError: When the server has not answered for too long; the run continues.
        NaruError: When the server refuses the request; the run continues.
    """
    record: dict[str, str] = {}
    silent = 0
    still: tuple[object, float] = (None, time.monotonic())
    while True:
        try:
            run = server.kfp.get(f"/runs/{run_id}")
            silent = 0
        except UnavailableError as error:
            silent += 1
            if silent >= _PATIENCE:
                raise
            report(f"no answer ({error.message}); the run continues, and Naru tries again") if silent == 1 else None
            time.sleep(poll)
            continue
        for stage in stages_of(run):
            if record.get(stage.name) != stage.state and stage.state not in NOT_BEGUN:
                report(_format_stage(stage))
                record[stage.name] = stage.state
        if run.get("state") in FINAL:
            return run
        standing = (run.get("state"), [(stage.name, stage.state) for stage in stages_of(run)])
        if standing != still[0]:
            still = standing, time.monotonic()
        elif time.monotonic() - still[1] >= patience:
            if why := _why_lost(run):
                report(f"stopped following: {why}")
                return {**run, "state": "CANCELED"}
            still = standing, time.monotonic()
        time.sleep(poll)


def is_over(run: Mapping[str, Any], now: datetime | None = None) -> bool:
    """Whether a run in flight is dead: it has been CANCELING for too long to be still ending."""
    if run.get("state") != "CANCELING":
        return False
    times = [_time(one.get("update_time")) for one in run.get("state_history") or []]
    since = max([*times, _time(run.get("created_at"))])
    return bool(since) and (now or datetime.now(UTC)).timestamp() - since >= GONE_AFTER


def _why_lost(run: Mapping[str, Any]) -> str:
    """Find why a run without progress will never end; empty when it may still end."""
    if run.get("state") == "CANCELING":
        return "KFP has been cancelling it for too long: its workflow is gone, and KFP will report CANCELING for ever"
    from components._cluster.kubernetes_client import Cluster

    try:
        pods = Cluster().list_all("v1", "Pod", f"{RUN_LABEL}={run['run_id']}")
    except NaruError:  # no cluster, or no permission: whether it is gone is not known
        return ""
    left = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Pending", "Running")]
    waits = [stage for stage in stages_of(run) if stage.state == "RUNNING"]
    return (
        ""
        if left or not waits
        else f"it has no pod left, but KFP still reports {run.get('state')}: its workflow is gone"
    )


def stages_of(run: Mapping[str, Any]) -> list[StageStatus]:
    """List the stages that have begun, in order; empty while KFP has no details, as before its agent's first report."""
    details = (run.get("run_details") or {}).get("task_details") or []
    found: list[StageStatus] = []
    for name in STAGES:
        named = [task for task in details if task.get("display_name") == name]
        if named:
            found.append(_stage(name, named, details))
    return found


def _stage(name: str, tasks: list[JsonObject], details: list[JsonObject]) -> StageStatus:
    """Make the status of a stage from its last attempt."""
    last = max(tasks, key=lambda task: str(task.get("start_time", "")))
    pods = tuple(
        child["pod_name"] for task in tasks for child in task.get("child_tasks") or [] if child.get("pod_name")
    )
    state = "SKIPPED" if is_cached(last, details) else str(last.get("state", ""))
    return StageStatus(name, state, _seconds(last) if state in FINAL else 0.0, pods)


def _seconds(task: JsonObject) -> float:
    times = [_time(task.get(name)) for name in ("start_time", "end_time")]
    return max(times[1] - times[0], 0.0) if all(times) else 0.0


def _time(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _format_stage(stage: StageStatus) -> str:
    label = {"SUCCEEDED": "✓", "FAILED": "✗", "CANCELED": "■", "SKIPPED": "–"}.get(stage.state, "▸")
    seconds = f"{stage.seconds:6.0f} s" if stage.state in FINAL else " " * 8
    word = "from the cache" if stage.state == "SKIPPED" else stage.state.lower()
    return f"{label} {stage.name:<10}{seconds}  {word}"
