"""The notices of a watcher: broken data and an open breaker while they go on, and how triggered runs ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from components._core.store.approvals import WAITS
from components._notices.outbox import APPROVAL, Notice
from components.watch.causes import find_broken
from components.watch.limits import BREAKER, find_breaker
from components.watch.records import Decision, History
from components.watch.state import INVARIANT, State

LATEST = timedelta(days=30)
"""Age up to which the end of a run is sent by a watcher that was away."""


def find_lasting(state: State, folder: Path) -> list[Notice]:
    """Find the notices of what goes on: broken data, an open breaker. Whether they were sent the caller knows (`Outbox`).

    Args:
        state: What the watcher saw.
        folder: The project's folder, for the commands.
    """
    return [*_find_lasting(state, folder)]


def find_ends(project: str, history: History, folder: Path, now: datetime, begin: datetime) -> list[Notice]:
    """Find the notices of runs that ended, also of those that did while nobody looked; likewise.

    Args:
        project: The project's name.
        history: The records of triggers.
        folder: The project's folder, for the commands.
        now: The time.
        begin: From when on ends are sent (`Outbox.find_begin`).
    """
    ended = [each for each in history.decisions if each.ended is not None]
    due = [each for each in ended if each.ended and each.ended.time >= begin and abs(now - each.ended.time) < LATEST]
    return [_describe_end(project, folder, decision) for decision in due]


def _find_lasting(state: State, folder: Path) -> Iterator[Notice]:
    project = shlex.quote(str(folder))
    for cause in find_broken(state):
        yield Notice(
            cause.key,
            INVARIANT,
            state.project,
            f"{state.project}: broken data: {cause.what}",
            "No run is started on it: correct what sends the data. Windows with it count for no trigger.",
            f"naru triggers ls {project}",
            str(cause.evidence.get("report", "")),
            cause.evidence,
            repeats=True,
            group=INVARIANT,
        )
    if (tripped := find_breaker(state)) is not None:
        yield Notice(
            tripped.key,
            BREAKER,
            state.project,
            f"{state.project}: no run starts by a trigger any more",
            f"{tripped.what}.",
            f"naru triggers reset {project}",
            facts=tripped.evidence,
            repeats=True,
        )


def _describe_end(project: str, folder: Path, decision: Decision) -> Notice:
    claimed, ended = decision.claimed, decision.ended or decision.claimed
    waits = ended.why.startswith(WAITS)
    came = f"version {ended.promoted} promoted" if ended.promoted else WAITS if waits else "nothing promoted"
    state = "promoted" if ended.promoted else "ended" if ended.verdict == "succeeded" else "failed"
    command = "ledger" if ended.promoted else "approvals" if waits else "triggers ls"
    report = folder / ".naru" / "runs" / ended.run / "report.html"
    lines = [f"cause: {claimed.why}", f"run: {ended.run or 'did not begin'}", ended.why]
    return Notice(
        claimed.causes[0].key,
        APPROVAL if waits else state,
        project,
        f"{project}: trigger {claimed.number}: run {ended.verdict}, {came}",
        "\n".join(filter(None, lines)),
        f"naru {command} {shlex.quote(str(folder))}",
        report.absolute().as_uri() if ended.run and report.is_file() else "",
        {"run": ended.run, "verdict": ended.verdict, "promoted": ended.promoted, "seconds": ended.seconds},
    )
