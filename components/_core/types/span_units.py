"""The units of spans: what a span's number counts, and how people write it.

A span is a whole number everywhere: in file names of examples, manifests and fingerprints. A span that is a date is the
number of its digits, so that numbers sort as dates do and a person recognises them: June 2024 is 202406, June 1 2024 is
20240601. Neighbours are found by position: spans that follow one another have positions that follow one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2}))?)?)?")
_FIELDS = ("year", "month", "day", "hour")
_FIRST = (1, 1, 1, 0)
"""The first value of each field."""
_LAST_YEAR = 9999


@dataclass(frozen=True)
class SpanUnit:
    """What the spans of a source count.

    Attributes:
        name: `number`, `year`, `month`, `day` or `hour`.
        fields: Number of fields of a date that identify a span, from 1 (year) to 4 (hour); 0: spans are numbers.
        example: A span as people write it.
    """

    name: str
    fields: int
    example: str

    def label(self, span: int) -> str:
        """Return a span as people write it: `7`, `2024-06`, `2024-06-01`, `2024-06-01T13`."""
        if not self.fields:
            return str(span)
        year, *rest = self._split(span)
        text = "-".join([f"{year:04d}", *(f"{field:02d}" for field in rest[:2])])
        return f"{text}T{rest[2]:02d}" if self.fields == len(_FIELDS) else text

    def span(self, fields: tuple[int, ...]) -> int | None:
        """Return the span of a date's fields; None when there is no such date."""
        year, month, day, hour = (*fields, *_FIRST[len(fields) :])
        try:
            datetime(year, month, day, hour, tzinfo=UTC)
        except ValueError:
            return None
        return _digits(fields)

    def position(self, span: int) -> int:
        """Return the position of a span among all that its unit has."""
        if not self.fields:
            return span
        year, *rest = self._split(span)
        if self.fields <= 2:
            return year * (12 if rest else 1) + (rest[0] - 1 if rest else 0)
        days = datetime(year, rest[0], rest[1], tzinfo=UTC).toordinal()
        return days * 24 + rest[2] if self.fields == len(_FIELDS) else days

    def at(self, position: int) -> int:
        """Return the span at a position; the inverse of `position`."""
        if self.fields <= 1:
            return position
        if self.fields == 2:
            return position // 12 * 100 + position % 12 + 1
        days, hour = divmod(position, 24) if self.fields == len(_FIELDS) else (position, 0)
        date = datetime.fromordinal(days)
        day = (date.year * 100 + date.month) * 100 + date.day
        return day * 100 + hour if self.fields == len(_FIELDS) else day

    def of_time(self, time: datetime) -> int:
        """Return the span of a date unit that contains a time."""
        return _digits((time.year, time.month, time.day, time.hour)[: self.fields])

    def period(self, text: str) -> tuple[int, int] | None:
        """Return the positions of the first and last span of a date, such as all days of `2024-06`.

        None when the text is not a date, or finer than the unit: `2024-06-01` names no month.
        """
        match = _DATE.fullmatch(text)
        given = tuple(int(field) for field in match.groups() if field) if match else ()
        if not given or len(given) > self.fields:
            return None
        span = SpanUnit("", len(given), "").span(given)
        if span is None or given[0] >= _LAST_YEAR:
            return None
        part = UNITS[_FIELDS[len(given) - 1]]
        first = self.position(self._first_of(given))
        if len(given) == self.fields:
            return first, first
        following = part._split(part.at(part.position(span) + 1))
        return first, self.position(self._first_of(following)) - 1

    def ranges(self, runs: list[tuple[int, int]]) -> str:
        """Format runs of positions: `1-3, 7`, or `2024-01..2024-03, 2024-07`."""
        dash = ".." if self.fields else "-"
        labels = [(self.label(self.at(first)), self.label(self.at(last))) for first, last in runs]
        return ", ".join(first if first == last else f"{first}{dash}{last}" for first, last in labels)

    def _split(self, span: int) -> tuple[int, ...]:
        """Return the fields of a date."""
        rest: list[int] = []
        for _ in range(self.fields - 1):
            span, field = divmod(span, 100)
            rest.insert(0, field)
        return span, *rest

    def _first_of(self, given: tuple[int, ...]) -> int:
        """Return the first span of a coarser date's fields."""
        return _digits((*given, *_FIRST[len(given) :])[: self.fields])


NUMBER = SpanUnit("number", 0, "7")
UNITS = {
    unit.name: unit
    for unit in (
        NUMBER,
        SpanUnit("year", 1, "2024"),
        SpanUnit("month", 2, "2024-06"),
        SpanUnit("day", 3, "2024-06-01"),
        SpanUnit("hour", 4, "2024-06-01T13"),
    )
}
"""Every unit by its name."""


def _digits(fields: tuple[int, ...]) -> int:
    """Return the number that the fields of a date form: year, then two digits each."""
    number = fields[0]
    for field in fields[1:]:
        number = number * 100 + field
    return number


def runs_of(positions: list[int]) -> list[tuple[int, int]]:
    """Return the runs of neighbours among ascending positions: `[1, 2, 3, 7]` has the runs (1, 3) and (7, 7)."""
    runs: list[tuple[int, int]] = []
    for position in positions:
        if runs and position == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return runs
