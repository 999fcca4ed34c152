"""States of a project for the tests of decisions: triggers, spans and monitor windows in a line each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from components._core.files import fingerprint_of
from components._core.project.trigger_config import Triggers
from components.watch.decide import decide
from components.watch.records import History, Record, format_time
from components.watch.state import MonitorCheck, Span, SpanSet, State, Window, zone_names

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""
FREE = {"cooldown": "0s", "per_day": 1_000}


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def made_state(
    on: Sequence[dict[str, Any]], records: Sequence[Record] = (), *, limits: dict[str, Any] | None = None, **fields: Any
) -> State:
    """A state with these triggers and hardly any limits."""
    section = {"on": list(on), "limits": FREE if limits is None else limits, **fields.pop("section", {})}
    triggers = Triggers.model_validate(section)
    zones = {name: ZoneInfo(name) for name in zone_names(triggers)}
    return State("flights", "binary_classification", triggers, History(list(records)), zones=zones, **fields)


def spans(*labels: str, **states: str) -> SpanSet:
    """Spans by label; the state of each is `a` unless given, as in `_2="b"`."""
    held = tuple(Span(label, states.get(f"_{label}", "a")) for label in labels)
    return SpanSet(fingerprint_of(f"{span.label} {span.state}" for span in held), held)


def check(name: str, status: str, **fields: Any) -> MonitorCheck:
    """A check by its name, as in `skew: hour`; kind and feature follow from it."""
    before, _, after = name.partition(": ")
    kind = "invariant" if before in ("missing", "unseen", "range", "type") else before
    return MonitorCheck(name, kind, status, "" if kind == "performance" else after, **fields)


def window(day: int, *checks: MonitorCheck, version: str = "1", length: int = 1) -> Window:
    """A window that ends at the end of a day."""
    until = START + timedelta(days=day)
    return Window(version, until - timedelta(days=length), until, checks, f"s/{day}.json", f"sha{day}")


def alarms(pattern: str, name: str = "skew: hour", version: str = "1") -> list[Window]:
    """A window a day: A alarms, P passes, S could not be judged."""
    statuses = {"A": "fail", "P": "pass", "S": "skipped"}
    return [window(day, check(name, statuses[each]), version=version) for day, each in enumerate(pattern)]


class Log:
    """Records in memory, with lines as the store names them."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: Iterable[Record]) -> list[Record]:
        """Give each record a line."""
        added = [
            replace(record, line=f"{len(self.records) + number:06d}-{number:04d}")
            for number, record in enumerate(records, 1)
        ]
        self.records += added
        return added

    def tick(self, state: State, now: datetime) -> list[Record]:
        """Decide over these records, and append what was decided."""
        return self.append(decide(replace(state, history=History(list(self.records))), now))

    def end(self, claimed: Record, now: datetime, promoted: str = "", verdict: str = "succeeded") -> None:
        """The run started, and ended an hour later."""
        at = format_time(now)
        self.append(
            [
                Record("started", at, decision=claimed.line, run=claimed.run),
                Record("ended", format_time(now + hours(1)), decision=claimed.line, verdict=verdict, promoted=promoted),
            ]
        )


def said(records: Iterable[Record]) -> list[tuple[str, str]]:
    """State and reason of records, without first looks."""
    return [(record.state, record.reason) for record in records if record.state != "seen"]
