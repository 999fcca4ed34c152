"""Follow a run to its end, by the stages of our spec; what Argo does around them is left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components import STAGES
from components._core.errors import UnavailableError
from pipelines.gitops.client import Answer
from pipelines.gitops.server import FINAL, Server

POLL = 5.0
_PATIENCE = 60
"""Polls in a row without an answer until we give up; each has been tried again by the client."""


@dataclass(frozen=True)
class Stage:
    """How a stage of a run stands.

    Attributes:
        name: Of the stage.
        state: As KFP has it; `SKIPPED` is taken from the cache, as nothing in our graph is conditional.
        seconds: That it took, when it has ended.
        pods: Argo's names for what ran it.
    """

    name: str
    state: str
    seconds: float = 0.0
    pods: tuple[str, ...] = ()


def wait(server: Server, run_id: str, tell: Callable[[str], None], poll: float = POLL) -> Answer:
    """Follow a run until it has ended; returns it as it was then.

    Args:
        server: Where it runs.
        run_id: Its id.
        tell: Is given a line whenever a stage begins or ends.
        poll: Seconds between two looks.

    Raises:
        UnavailableError: When the server has not answered for long; the run goes on.
        NaruError: When it refuses us; the run goes on.
    """
    told: dict[str, str] = {}
    silent = 0
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
            if told.get(stage.name) != stage.state and stage.state not in ("", "PENDING"):
                tell(_line(stage))
                told[stage.name] = stage.state
        if run.get("state") in FINAL:
            return run
        time.sleep(poll)


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
    for name in STAGES:
        named = [task for task in details if task.get("display_name") == name]
        if named:
            found.append(_stage(name, named))
    return found


def _stage(name: str, tasks: list[Answer]) -> Stage:
    """The last try is what counts."""
    last = max(tasks, key=lambda task: str(task.get("start_time", "")))
    pods = tuple(
        child["pod_name"] for task in tasks for child in task.get("child_tasks") or [] if child.get("pod_name")
    )
    state = str(last.get("state", ""))
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
