"""Limits of triggers: what holds a cause back, for how long, and the breaker that stops a loop of runs that promote nothing.

Times are compared without a direction: after a clock was set back, a start that lies ahead still counts as recent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from components._core.project.durations import to_timedelta
from components._core.project.trigger_config import Trigger, is_quiet, parse_quiet
from components.watch.records import Cause, Decision, Record, format_time, make_key
from components.watch.state import State

BREAKER = "breaker"
_WEEK = timedelta(days=7)
_MINUTE = timedelta(minutes=1)


def find_limit(state: State, trigger: Trigger, now: datetime) -> tuple[str, str]:
    """Return the first limit that holds a cause of a trigger back, in one word and in a sentence; empty: it may start a run."""
    return next(_find_limits(state, trigger, now), ("", ""))


def find_breaker(state: State) -> Cause | None:
    """Return the cause of a notice when the breaker is open; None when it is closed."""
    row = _row_without_promotion(state)
    if len(row) < state.triggers.breaker.runs:
        return None
    what = f"{len(row)} triggered runs in a row promoted nothing: {', '.join(_describe(decision) for decision in row)}"
    return Cause(make_key(state.project, BREAKER, row[0].name), BREAKER, "", what, {"runs": [one.name for one in row]})


def _find_limits(state: State, trigger: Trigger, now: datetime) -> Iterator[tuple[str, str]]:
    limits, starts = state.triggers.limits, _automatic(state)
    zone = state.zone(limits.timezone)
    if state.triggers.breaker.runs <= len(_row_without_promotion(state)):
        runs = state.triggers.breaker.runs
        yield BREAKER, f"{runs} triggered runs in a row promoted nothing; naru triggers reset lets them start again"
    if trigger.quiet != "ignore" and (end := _quiet_until(state, now)):
        yield "quiet", f"quiet until {end.astimezone(zone).isoformat(timespec='minutes')}"
    cooldown = to_timedelta(trigger.cooldown or limits.cooldown)
    if until := max(
        (one.claimed.time + cooldown for one in starts if abs(now - one.claimed.time) < cooldown), default=None
    ):
        yield "cooldown", f"cooldown until {format_time(until)}"
    today = [one for one in starts if one.claimed.time.astimezone(zone).date() == now.astimezone(zone).date()]
    if len(today) >= limits.per_day:
        yield "per_day", f"{len(today)} triggered runs today; {limits.per_day} are allowed"
    if len(flying := state.history.in_flight) >= limits.concurrent:
        yield "concurrent", f"run {flying[0].claimed.run} has not ended; {limits.concurrent} at a time are allowed"
    if limits.budget is not None and (used := _used_hours(starts, now)) >= limits.budget.run_hours_per_week:
        yield "budget", f"{used:.1f} hours of runs in seven days; {limits.budget.run_hours_per_week:g} are allowed"


def _automatic(state: State) -> list[Decision]:
    return [decision for decision in state.history.decisions if decision.claimed.is_automatic]


def _quiet_until(state: State, now: datetime) -> datetime | None:
    """Return the end of the quiet time; None when it is not quiet."""
    times = [parse_quiet(text) for text in state.triggers.limits.quiet]
    zone = state.zone(state.triggers.limits.timezone)
    minute, end = now.replace(second=0, microsecond=0), now + _WEEK
    while minute <= end:
        local = minute.astimezone(zone)
        if not is_quiet(times, local.weekday(), local.hour * 60 + local.minute):
            return minute if minute > now else None
        minute += _MINUTE
    return end


def _row_without_promotion(state: State) -> list[Decision]:
    """Return the triggered runs since the last promotion or reset, oldest first; runs in flight and demands do not count."""
    since = max((record.line for record in state.history.of_state("reset")), key=_order, default="")
    row: list[Decision] = []
    for decision in state.history.decisions:
        if _order(decision.name) <= _order(since):
            continue
        if decision.ended is not None and (decision.ended.promoted or decision.ended.run in state.promoting_runs):
            row = []
        elif decision.ended is not None and decision.claimed.is_automatic:
            row.append(decision)
    return row


def _order(line: str) -> tuple[int, str]:
    number, _, nonce = line.partition("-")
    return int(number or 0), nonce


def _describe(decision: Decision) -> str:
    verdict = decision.ended.verdict if decision.ended else ""
    return f"trigger {decision.claimed.number} ({verdict})"


def _used_hours(starts: list[Decision], now: datetime) -> float:
    """Return the hours of runs within the last seven days; one in flight counts up to now.

    The end of a run is recorded when a watcher looks, which may be days later: its own seconds count where they are known.
    """
    begin, used = now - _WEEK, timedelta()
    for decision in starts:
        first: Record = decision.started[0] if decision.started else decision.claimed
        last = decision.ended.time if decision.ended else now
        if decision.ended is not None and decision.ended.seconds > 0:
            last = min(last, first.time + timedelta(seconds=decision.ended.seconds))
        used += max(min(last, now) - max(first.time, begin), timedelta())
    return used / timedelta(hours=1)
