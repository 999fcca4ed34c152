"""The notices of a watcher: broken data and an open breaker while they go on, and how triggered runs ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from components._notices.outbox import Notice
from components.watch.causes import find_broken
from components.watch.limits import BREAKER, find_breaker
from components.watch.records import Decision
from components.watch.state import INVARIANT, State

_RECENT = timedelta(hours=24)
"""Age up to which the end of a run is sent: nobody wants the older ones when notices are switched on."""


def find_notices(state: State, folder: Path, now: datetime) -> list[Notice]:
    """Find the notices that are due if they were not sent: the caller knows (`Outbox`).

    Args:
        state: What the watcher saw.
        folder: The project's folder, for the commands.
        now: The time.
    """
    return [*_find_lasting(state, folder), *_find_ends(state, folder, now)]


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


def _find_ends(state: State, folder: Path, now: datetime) -> Iterator[Notice]:
    for decision in state.history.decisions:
        if decision.ended is not None and abs(now - decision.ended.time) < _RECENT:
            yield _describe_end(state.project, folder, decision)


def _describe_end(project: str, folder: Path, decision: Decision) -> Notice:
    claimed, ended = decision.claimed, decision.ended or decision.claimed
    came = f"version {ended.promoted} promoted" if ended.promoted else "nothing promoted"
    state = "promoted" if ended.promoted else "ended" if ended.verdict == "succeeded" else "failed"
    report = folder / ".naru" / "runs" / ended.run / "report.html"
    lines = [f"cause: {claimed.why}", f"run: {ended.run or 'did not begin'}", ended.why]
    return Notice(
        claimed.causes[0].key,
        state,
        project,
        f"{project}: trigger {claimed.number}: run {ended.verdict}, {came}",
        "\n".join(filter(None, lines)),
        f"naru {'ledger' if ended.promoted else 'triggers ls'} {shlex.quote(str(folder))}",
        report.absolute().as_uri() if ended.run and report.is_file() else "",
        {"run": ended.run, "verdict": ended.verdict, "promoted": ended.promoted, "seconds": ended.seconds},
    )
