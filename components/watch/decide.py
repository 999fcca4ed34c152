"""Decide whether a training run starts now, and say why not where none does. Pure: no clock, no files, no network.

Two deciders that look at the same state come to the same records, and one that looks again after its records were
appended says nothing twice: what was said about a key for a reason is not said twice (of a source that is away once in each outage, and daily), and a key that was claimed is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from components.watch.causes import Found, find_broken, find_causes, find_first_looks, needs_new_look
from components.watch.limits import BREAKER, find_breaker, find_limit
from components.watch.records import Cause, Record, Step, format_time
from components.watch.source_outages import UNREADABLE, find_ends, is_said
from components.watch.state import State

_MOST_TEXT = 200


def decide(state: State, now: datetime) -> list[Record]:
    """Decide, and return the records to append, in order; a record `claimed` is the last and only one that starts a run.

    All causes that hold and have the same parameters start one run, also those that a limit holds back when another cause
    is free of it: the run answers them too. Those with other parameters wait for a later look. A demand is free of all limits.

    Args:
        state: What is known.
        now: The time, with a zone.
    """
    notices = [_say(state, now, "notice", cause, cause.kind, cause.what) for cause in find_broken(state)]
    if (tripped := find_breaker(state)) is not None:
        why = f"{tripped.what}; no run starts until naru triggers reset"
        notices.append(_say(state, now, "notice", tripped, BREAKER, why))
    open_causes: list[Found] = []
    said: list[Record | None] = []
    for found in find_causes(state, now):
        earlier = state.history.by_key.get(found.cause.key)
        if earlier is not None:
            said.append(_say_done(state, now, found, earlier.ended))
        elif found.reason:
            step: Step = "refused" if found.is_final else "held"
            again = needs_new_look(state, found, now) or found.reason == UNREADABLE
            if found.reason != UNREADABLE or not is_said(state, found.cause, now):
                said.append(_say(state, now, step, found.cause, found.reason, found.why, again=again))
        else:
            open_causes.append(found)
    records = [*find_ends(state, now), *find_first_looks(state, now), *notices, *said, *_judge(state, now, open_causes)]
    return [record for record in records if record is not None]


def _judge(state: State, now: datetime, found: Sequence[Found]) -> list[Record | None]:
    """Claim the first cause that is free of limits, with all of its parameters; else say what holds each back."""
    by_trigger: dict[str, tuple[str, str]] = {}
    held: list[Record | None] = []
    for each in found:
        if each.cause.kind == "demand":
            return [_claim(state, now, found, each)]
        name = each.trigger.name
        by_trigger[name] = by_trigger.get(name) or find_limit(state, each.trigger, now)
        reason, why = by_trigger[name]
        if not reason:
            return [_claim(state, now, found, each)]
        held.append(_say(state, now, "refused" if reason == BREAKER else "held", each.cause, reason, why))
    return held


def _say(
    state: State, now: datetime, step: Step, cause: Cause, reason: str, why: str, *, again: bool = False
) -> Record | None:
    """Make a record of one cause; None when the same was said of its key."""
    if (step, cause.key, reason) in state.history.said and not again:
        return None
    return Record(step, format_time(now), (cause,), reason, why, state.champion, policy=state.policy)


def _say_done(state: State, now: datetime, found: Found, ended: Record | None) -> Record | None:
    """Say that a run for the same evidence ended without a promotion; a time and a request are over with their run."""
    if ended is None or ended.promoted or found.cause.kind in ("schedule", "demand"):
        return None
    why = f"trigger {ended.number} ran for the same evidence and promoted nothing; it runs again when the evidence changes"
    return _say(state, now, "refused", found.cause, "done", why)


def _claim(state: State, now: datetime, found: Sequence[Found], leader: Found) -> Record:
    """Claim the causes that request the same run as the leader: a run of mixed parameters would serve none of them."""
    parameters, approve = state.triggers.parameters_of(leader.trigger), leader.trigger.approve
    alike = [
        each
        for each in found
        if (state.triggers.parameters_of(each.trigger), each.trigger.approve) == (parameters, approve)
    ]
    causes = tuple(each.cause for each in alike)
    why = describe_causes(causes)
    run = f"{state.project}-t{causes[0].key[:10]}"
    record = Record("claimed", format_time(now), causes, "", why, state.champion, policy=state.policy)
    required = approve.model_dump() if approve else {}
    return replace(record, parameters=dict(parameters), approve=required, run=run)


def describe_causes(causes: Sequence[Cause]) -> str:
    """Describe causes in a few words, for the report and the deployment ledger."""
    text = "; ".join(f"{cause.name} ({cause.what})" for cause in causes)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."
