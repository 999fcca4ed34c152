"""Outages of sources in the log of triggers: from the first `held: source` of a trigger until a record says that it is over.

What ends one is recorded like its beginning, so that the log says at any time which sources are away: a claim for new data, which was read for
it, `seen: readable`, or `seen: unwatched` (the trigger is gone or switched off).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from components.watch.records import Cause, History, Record, format_time, make_key
from components.watch.state import State

UNREADABLE = "source"
"""Reason of the records `held` that say that a source cannot be read."""
READABLE, UNWATCHED = "readable", "unwatched"
"""Reasons of the records `seen` that end an outage."""
AGAIN = timedelta(days=1)
"""Time after which a record repeats that a source is away: a long outage stays among the newest records, which the servers' gauges read."""


def find_outages(history: History) -> dict[str, list[Record]]:
    """Find the outages that are on: by trigger the records `held` that say so, oldest first."""
    outages: dict[str, list[Record]] = {}
    for record in history.records:
        for cause in record.causes:
            if cause.kind != "new_data":
                continue
            if record.state == "held" and record.reason == UNREADABLE:
                outages.setdefault(cause.name, []).append(record)
            elif record.state == "claimed" or record.reason in (READABLE, UNWATCHED):
                outages.pop(cause.name, None)
    return outages


def is_said(state: State, cause: Cause, now: datetime) -> bool:
    """Return whether the log says that a source is away for this reason: once in each outage, and again after `AGAIN`."""
    records = find_outages(state.history).get(cause.name, [])
    return any(record.causes[0].key == cause.key for record in records) and abs(now - records[-1].time) < AGAIN


def find_ends(state: State, now: datetime) -> Iterator[Record]:
    """Make a record for each outage that is over."""
    watched = {trigger.name for trigger, _ in state.rules if trigger.enabled and trigger.new_data is not None}
    for name, records in find_outages(state.history).items():
        spans = state.sources.get(name)
        if name not in watched:
            reason, what = UNWATCHED, "the source was away, and nothing looks at it any more"
        elif spans is not None and not spans.error:
            reason, what = READABLE, f"the source can be read again; it was away since {records[0].at}"
        else:
            continue
        cause = Cause(make_key(state.project, name, reason, records[0].at), "new_data", name, what)
        yield Record("seen", format_time(now), (cause,), reason, what, state.champion, policy=state.policy)
