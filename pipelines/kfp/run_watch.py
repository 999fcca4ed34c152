"""Follow a run to its end, by the stages of our spec; what Argo does around them is left out.

A run whose workflow was removed has no end of its own: KFP keeps it as it was, CANCELING or RUNNING, for ever. So one that is
CANCELING for long counts as cancelled, and one in which nothing moves is looked for on the cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components._core.errors import NaruError, UnavailableError
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.kfp_client import Answer
from pipelines.kfp.server_state import FINAL, Server
from pipelines.stage_durations import NOT_BEGUN, is_cached

POLL = 5.0
_PATIENCE = 60
"""Polls in a row without an answer until we give up; each has been tried again by the client."""


GONE_AFTER = 600.0
"""Seconds that ending a run may take, and that a run may stand still before its workflow is looked for."""

RUN_LABEL = "pipeline/runid"


@dataclass(frozen=True)
class Stage:
    """How a stage of a run stands.

    Attributes:
        name: Of the stage.
        state: As KFP has it; `SKIPPED` is taken from the cache, as nothing in our graph is conditional, also where KFP says
            SUCCEEDED of it.
        seconds: That it took, when it has ended.
        pods: Argo's names for what ran it.
    """

    name: str
    state: str
    seconds: float = 0.0
    pods: tuple[str, ...] = ()


def wait(
    server: Server, run_id: str, tell: Callable[[str], None], poll: float = POLL, patience: float = GONE_AFTER
) -> Answer:
    """Follow a run until it has ended; returns it as it was then.

    Args:
        server: Where it runs.
        run_id: Its id.
        tell: Is given a line whenever a stage begins or ends.
        poll: Seconds between two looks.
        patience: Seconds after which a run that stands still is looked for.

    Raises:
        UnavailableError: When the server has not answered for long; the run goes on.
        NaruError: When it refuses us; the run goes on.
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
            tell(f"no answer ({error.message}); the run goes on, and we look again") if silent == 1 else None
            time.sleep(poll)
            continue
        for stage in stages_of(run):
            if record.get(stage.name) != stage.state and stage.state not in NOT_BEGUN:
                tell(_line(stage))
                record[stage.name] = stage.state
        if run.get("state") in FINAL:
            return run
        standing = (run.get("state"), [(stage.name, stage.state) for stage in stages_of(run)])
        if standing != still[0]:
            still = standing, time.monotonic()
        elif time.monotonic() - still[1] >= patience:
            if why := _why_over(run):
                tell(f"no longer followed: {why}")
                return {**run, "state": "CANCELED"}
            still = standing, time.monotonic()
        time.sleep(poll)


def is_over(run: Mapping[str, Any], now: datetime | None = None) -> bool:
    """Whether a run that KFP has in flight will never move again: it has been CANCELING for too long to be still ending."""
    if run.get("state") != "CANCELING":
        return False
    times = [_time(one.get("update_time")) for one in run.get("state_history") or []]
    since = max([*times, _time(run.get("created_at"))])
    return bool(since) and (now or datetime.now(UTC)).timestamp() - since >= GONE_AFTER


def _why_over(run: Mapping[str, Any]) -> str:
    """Why a run that stands still has no end of its own; empty: it may have one."""
    if run.get("state") == "CANCELING":
        return "KFP has been ending it for long; its workflow is gone, and KFP will say CANCELING for ever"
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
        else f"no pod of it is left, and KFP still has it as {run.get('state')}: its workflow is gone"
    )


def end_of(run: Mapping[str, Any]) -> str:
    """How a run ended. KFP 2.17 calls one that was cancelled FAILED; that it was is in its history only."""
    history = [str(one.get("state", "")) for one in run.get("state_history") or []]
    while history and history[-1] in FINAL:
        history.pop()
    return "CANCELED" if run["state"] == "FAILED" and history[-1:] == ["CANCELING"] else str(run["state"])


def stages_of(run: Mapping[str, Any]) -> list[Stage]:
    """The stages that have begun, in their order; none while KFP gives no details, as before its agent's first report."""
    details = (run.get("run_details") or {}).get("task_details") or []
    found: list[Stage] = []
    for name in TRAINING.stage_names:
        named = [task for task in details if task.get("display_name") == name]
        if named:
            found.append(_stage(name, named, details))
    return found


def _stage(name: str, tasks: list[Answer], details: list[Answer]) -> Stage:
    """The last try is what counts."""
    last = max(tasks, key=lambda task: str(task.get("start_time", "")))
    pods = tuple(
        child["pod_name"] for task in tasks for child in task.get("child_tasks") or [] if child.get("pod_name")
    )
    state = "SKIPPED" if is_cached(last, details) else str(last.get("state", ""))
    return Stage(name, state, _seconds(last) if state in FINAL else 0.0, pods)


def _seconds(task: Answer) -> float:
    times = [_time(task.get(name)) for name in ("start_time", "end_time")]
    return max(times[1] - times[0], 0.0) if all(times) else 0.0


def _time(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _line(stage: Stage) -> str:
    mark = {"SUCCEEDED": "✓", "FAILED": "✗", "CANCELED": "■", "SKIPPED": "–"}.get(stage.state, "▸")
    seconds = f"{stage.seconds:6.0f} s" if stage.state in FINAL else " " * 8
    word = "from the cache" if stage.state == "SKIPPED" else stage.state.lower()
    return f"{mark} {stage.name:<10}{seconds}  {word}"
