"""Span expressions: which spans of a source a run reads, as in `data.spans`.

| expression | spans |
| --- | --- |
| `all` | those that exist |
| `last 12` | the newest twelve that exist |
| `7`, `1-11`, `1,2,5` | numbers and ranges of numbers; `1..11` is `1-11` |
| `2024-06`, `2024-01..2024-06`, `2024` | dates and ranges of dates, in the source's unit or a coarser one: a day, month or year |
| `since 90d`, `since 12w`, `since 6m`, `since 2y`, `since 2024-01-01` | from a date on to the newest that exists; days, weeks, months and years are counted back from today (UTC) |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from components._core.errors import ConfigError, DataError
from components._core.types.span_units import NUMBER, SpanUnit, runs_of

MissingSpans = Literal["fail", "warn", "skip"]
"""What a span does that the expression names and the source does not have: see `data.missing_spans`."""

_WHERE = "data.spans"
_LAST = re.compile(r"last\s+([1-9]\d{0,17})")
_SINCE = re.compile(r"since\s+(\S+)")
_AGO = re.compile(r"([1-9]\d{0,4})([dwmy])")
_NUMBERS = re.compile(r"(\d{1,18})(?:\s*(?:-|\.\.)\s*(\d{1,18}))?")
_OPEN_END = 1 << 62
_NO_SPANS = (
    "put {span} in place of the span's number in the source's file names, or {YYYY}-{MM}-{DD} in place of its date; or "
    "leave spans at 'all'"
)

Runs = list[tuple[int, int]]
"""Runs of positions (see `SpanUnit.position`), ascending and disjoint."""


@dataclass(frozen=True)
class SpanExpression:
    """A parsed expression.

    Attributes:
        text: The expression as it was written.
        unit: Unit of the source's spans.
        named: The positions that it names; None for `all` and `last N`, which name only spans that exist.
        last: N of `last N`; 0 otherwise.
    """

    text: str
    unit: SpanUnit
    named: Runs | None = None
    last: int = 0

    def select(self, available: list[int], missing: MissingSpans = "fail") -> list[int]:
        """Select from the spans of a source.

        Args:
            available: The spans that exist, ascending.
            missing: `fail` refuses when a span that the expression names does not exist; otherwise it is left out.

        Raises:
            DataError: When a named span does not exist, or none of them does.
        """
        if self.named is None:
            return available[-self.last :]
        chosen = [span for span in available if _is_within(self.unit.position(span), self.named)]
        absent = self.missing(chosen, available[-1] if available else None)
        if absent and (missing == "fail" or not chosen):
            raise self._error(absent, available)
        if not chosen:
            raise self._error(self.named, available)
        return chosen

    def missing(self, chosen: list[int], newest: int | None = None) -> Runs:
        """Return the named spans that are not among the chosen ones.

        For `all` and `last N` these are the gaps between the chosen ones, if gaps are the exception: where most numbers
        are missing, the source does not count by one.

        Args:
            chosen: The spans that were selected, ascending.
            newest: The newest span of the source, at which `since` ends; None: the newest that was selected.
        """
        positions = [self.unit.position(span) for span in chosen]
        if self.named is None:
            gaps = _subtract([(positions[0], positions[-1])], positions) if positions else []
            return gaps if sum(last - first + 1 for first, last in gaps) < len(positions) else []
        end = self.unit.position(newest) if newest is not None else positions[-1] if positions else _OPEN_END
        runs = [(first, min(last, end) if last == _OPEN_END else last) for first, last in self.named]
        return _subtract([run for run in runs if run[0] <= run[1]], positions)

    def _error(self, absent: Runs, available: list[int]) -> DataError:
        first, last = absent[0]
        open_end = last == _OPEN_END
        what = f"since {self.unit.ranges([(first, first)])}" if open_end else self.unit.ranges(absent)
        there = self.unit.ranges(runs_of([self.unit.position(span) for span in available])) or "none"
        remedy = f"available spans: {there}; data.missing_spans: warn or skip leaves out those that are missing"
        return DataError(f"no span {what}", where=_WHERE, remedy=remedy)


def parse_spans(text: str, unit: SpanUnit | None, today: datetime | None = None) -> SpanExpression:
    """Parse an expression for a source.

    Args:
        text: The expression, as in `data.spans`.
        unit: Unit of the source's spans; None: it has none, and only `all` is allowed.
        today: The time from which `since 90d` counts back; None: now.

    Raises:
        ConfigError: When it is not an expression for that unit; the message says what is allowed.
    """
    words = " ".join(text.lower().split())
    if words == "all":
        return SpanExpression(text, unit or NUMBER)
    if unit is None:
        raise ConfigError(f"spans are {text[:80]!r}, but the source has no {{span}}", where=_WHERE, remedy=_NO_SPANS)
    if match := _LAST.fullmatch(words):
        return SpanExpression(text, unit, last=int(match[1]))
    if match := _SINCE.fullmatch(words):
        start = _start(match[1], unit, today or datetime.now(UTC))
        return SpanExpression(text, unit, [(start, _OPEN_END)]) if start is not None else _refuse(text, unit)
    found = [_run(part.strip(), unit) for part in text.upper().split(",")]
    runs = [run for run in found if run is not None]
    return SpanExpression(text, unit, _merge(runs)) if len(runs) == len(found) else _refuse(text, unit)


def _refuse(text: str, unit: SpanUnit) -> SpanExpression:
    if not unit.fields:
        allowed = "all, 7, 1-11, 1,2,5, last 3"
        if _SINCE.fullmatch(" ".join(text.lower().split())) or re.search(r"\d{4}-\d{2}", text):
            allowed += "; dates need a source with {YYYY}, as in flights-{YYYY}-{MM}.csv"
    else:
        one = unit.example
        allowed = f"all, {one}, {one}..{_later(unit)}, last 12, since 90d, since 2024-01-01"
        allowed += f" (a span is {'an' if unit.name == 'hour' else 'a'} {unit.name})"
    raise ConfigError(f"found {text[:80]!r}", where=_WHERE, remedy=f"allowed: {allowed}")


def _later(unit: SpanUnit) -> str:
    first = unit.period(unit.example)
    return unit.label(unit.at((first[0] if first else 0) + 5))


def _run(part: str, unit: SpanUnit) -> tuple[int, int] | None:
    """Return the positions of a part of a list; None when it is neither a span nor a range."""
    if not unit.fields:
        match = _NUMBERS.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        return (first, last) if first <= last else None
    start, dots, end = (piece.strip() for piece in part.partition(".."))
    one, other = unit.period(start), unit.period(end if dots else start)
    return (one[0], other[1]) if one and other and one[0] <= other[1] else None


def _start(text: str, unit: SpanUnit, today: datetime) -> int | None:
    """Return the position from which `since` reads."""
    if not unit.fields:
        return None
    match = _AGO.fullmatch(text)
    if not match:
        if len(text) == 10 and unit.fields < 3:  # a day, where spans are months or years: those from its own on
            text = text[: {1: 4, 2: 7}[unit.fields]]
        period = unit.period(text.upper())
        return period[0] if period else None
    time = _back(today, int(match[1]), match[2])
    return unit.position(unit.of_time(time)) if time else None


def _back(today: datetime, count: int, unit: str) -> datetime | None:
    """Return the time that many days, weeks, months or years ago; None before the year 1."""
    try:
        if unit in "dw":
            return today - timedelta(days=count * (7 if unit == "w" else 1))
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
        last = (datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC) + timedelta(days=31)).replace(day=1)
        return today.replace(
            year=months // 12, month=months % 12 + 1, day=min(today.day, (last - timedelta(days=1)).day)
        )
    except (ValueError, OverflowError):
        return None


def _merge(runs: Runs) -> Runs:
    merged: Runs = []
    for first, last in sorted(runs):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _is_within(position: int, runs: Runs) -> bool:
    return any(first <= position <= last for first, last in runs)


def _subtract(runs: Runs, positions: list[int]) -> Runs:
    """Return what of the runs is not among ascending positions, without counting through them."""
    left: Runs = []
    for first, last in runs:
        start = first
        for position in positions:
            if start <= position <= last:
                if position > start:
                    left.append((start, position - 1))
                start = position + 1
        if start <= last:
            left.append((start, last))
    return left
