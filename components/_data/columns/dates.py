"""Dates as people write them, and their form in examples: ISO text such as `2021-02-10` or `2021-02-10 15:15:00`.

A time with an offset (`+02:00`, `Z`) is converted to UTC and ends in `Z`. Where nothing in a cell says which of two
numbers is the day, an order decides: `dmy`, `mdy` or `ymd`; `find_order` finds it from the cells of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Order = Literal["dmy", "mdy", "ymd"]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ENOUGH = 0.98
"""Share of the sampled values that must be dates: a few broken ones are missing."""
_PIVOT = 69
"""Two digits below it are a year from 2000 on, others one of the last century; so POSIX reads them."""
_FIRST_YEAR, _LAST_YEAR = 1000, 2999
_CLOCK = (
    r"(?:[T ,]+(?P<before>(?:오전|오후)?)\s*(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2}))?(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s*(?P<half>(?:[aApP]\.?\s?[mM]\.?)?)\s*(?P<zone>(?:Z|UTC|GMT|[+\-][0-9]{2}:?[0-9]{2}|[+\-][0-9]{2})?))?"
)
_WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?\s+)?"
_FAMILIES = (
    ("year first", r"(?P<year>[0-9]{4})\s*[-./]\s*(?P<month>[0-9]{1,2})\s*[-./]\s*(?P<day>[0-9]{1,2})\.?" + _CLOCK),
    (
        "characters",
        r"(?P<year>[0-9]{2,4})\s*[년年]\s*(?P<month>[0-9]{1,2})\s*[월月]\s*(?P<day>[0-9]{1,2})\s*[일日]?" + _CLOCK,
    ),
    (
        "compact",
        r"(?P<year>(?:1[89]|2[01])[0-9]{2})(?P<month>0[1-9]|1[0-2])(?P<day>[0-3][0-9])"
        r"(?:T?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>(?:[0-9]{2})?)(?P<zone>Z?))?",
    ),
    (
        "numbers",
        r"(?P<first>[0-9]{1,2})\s*[-./]\s*(?P<middle>[0-9]{1,2})\s*[-./]\s*(?P<last>[0-9]{4}|[0-9]{2})\.?" + _CLOCK,
    ),
    (
        "day and name",
        _WEEKDAY
        + r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?[-\s./]*(?P<name>[A-Za-z]{3,9})\.?[-\s,./]*(?P<year>[0-9]{4}|[0-9]{2})"
        + _CLOCK,
    ),
    (
        "name and day",
        _WEEKDAY
        + r"(?P<name>[A-Za-z]{3,9})\.?[-\s]+(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?[-,\s]+(?P<year>[0-9]{4})"
        + _CLOCK,
    ),
    ("month", r"(?P<year>[0-9]{4})(?:[-./](?P<month>[0-9]{1,2})|\s*[년年]\s*(?P<month2>[0-9]{1,2})\s*[월月])"),
    ("named month", r"(?P<name>[A-Za-z]{3,9})\.?[-\s,/]+(?P<year>[0-9]{4})"),
    ("epoch", r"(?P<epoch>[0-9]{9,10})(?:\.[0-9]+)?"),
    ("epoch in milliseconds", r"(?P<epoch>[0-9]{9,10})[0-9]{3}"),
)
"""Families of formats with an expression (RE2) for the whole text; the first that fits reads it."""
_PLACES: dict[Order, tuple[str, str, str]] = {
    "dmy": ("last", "middle", "first"),
    "mdy": ("last", "first", "middle"),
    "ymd": ("first", "middle", "last"),
}
"""Groups of the family of numbers that are year, month and day."""


@dataclass(frozen=True)
class Dates:
    """Texts as dates.

    Attributes:
        iso: The ISO text of each date; null where the text is not one.
        family: Index of its family of formats, -1 where it is not a date; shape [values].
        has_clock: Where there is a time of day.
        has_zone: Where there is an offset or a zone.
    """

    iso: pa.Array
    family: NDArray[np.int8]
    has_clock: NDArray[np.bool_]
    has_zone: NDArray[np.bool_]

    @property
    def is_date(self) -> NDArray[np.bool_]:
        """Where a text is a date."""
        return np.asarray(self.iso.is_valid())


def parse_dates(trimmed: pa.Array, order: Order) -> Dates:
    """Parse texts as dates.

    Args:
        trimmed: Texts without blanks around them, shape [values].
        order: The order of day, month and year where all three are numbers and the year has no place of its own.
    """
    rows = len(trimmed)
    seconds, days = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    family, clock, zone = np.full(rows, -1, np.int8), np.zeros(rows, bool), np.zeros(rows, bool)
    left = np.flatnonzero(np.asarray(trimmed.is_valid()))
    for index, (name, pattern) in enumerate(_FAMILIES):
        if not len(left):
            break
        found = pc.extract_regex(trimmed.take(pa.array(left)), f"^{pattern}$")
        fits = np.asarray(found.is_valid())
        if not fits.any():
            continue
        parts = _Parts(found.filter(pa.array(fits)), order)
        valid, at = parts.is_valid, left[fits]
        days[at], seconds[at] = parts.days, parts.seconds
        clock[at], zone[at] = parts.has_clock | name.startswith("epoch"), parts.has_zone
        family[at[valid]] = index
        left = np.setdiff1d(left, at[valid], assume_unique=True)
    return Dates(_iso_text(days * 86_400 + seconds, family >= 0, clock, zone), family, clock & (family >= 0), zone)


def find_order(trimmed: pa.Array) -> tuple[Order, Order | None]:
    """Find the order of day, month and year of a column.

    Args:
        trimmed: Different texts of the column without blanks around them.

    Returns:
        The order in which most are dates, and another one in which as many are; None where the order is certain.
    """
    index = next(place for place, (name, _) in enumerate(_FAMILIES) if name == "numbers")
    texts = trimmed.drop_null()
    numbers = texts.filter(pc.match_substring_regex(texts, f"^{_FAMILIES[index][1]}$"))
    if not len(numbers):
        return "dmy", None
    found = pc.extract_regex(numbers, f"^{_FAMILIES[index][1]}$")
    counts = {order: int((parse_dates(numbers, order).family == index).sum()) for order in _PLACES}
    if not _starts_with_year(found):
        counts.pop("ymd")
    month_first = bool(pc.any(pc.match_substring_regex(numbers, r"^[0-9]+\s*[-/]")).as_py())
    preferred: Sequence[Order] = ("ymd", "mdy", "dmy") if month_first else ("ymd", "dmy", "mdy")
    ranked = sorted((order for order in preferred if order in counts), key=lambda order: -counts[order])
    is_open = len(ranked) > 1 and counts[ranked[1]] == counts[ranked[0]]
    return ranked[0], ranked[1] if is_open else None


def describe_format(trimmed: pa.Array, order: Order) -> str:
    """Describe how most texts of a column are written, as in `DD.MM.YYYY` or `epoch seconds`.

    Args:
        trimmed: Different texts of the column without blanks around them.
        order: The order of day, month and year.
    """
    dates = parse_dates(trimmed, order)
    known = dates.family[dates.family >= 0]
    if not len(known):
        return ""
    most = int(np.bincount(known).argmax())
    name = _FAMILIES[most][0]
    if name.startswith("epoch"):
        return "epoch seconds" if name == "epoch" else "epoch milliseconds"
    example = trimmed[int(np.flatnonzero(dates.family == most)[0])].as_py()
    return _SHAPES[name](example, order)


def _shape_numbers(example: str, order: Order) -> str:
    date = example.split()[0].split("T")[0]
    mark = next((mark for mark in date if mark in "-./"), "-")
    year = "YYYY" if len(date.strip(".").split(mark)[-1]) == 4 else "YY"
    return mark.join({"d": "DD", "m": "MM", "y": year}[letter] for letter in order)


def _shape_year_first(example: str, order: Order) -> str:
    mark = next(mark for mark in example if mark in "-./")
    return f"YYYY{mark}MM{mark}DD"


_SHAPES: dict[str, Callable[[str, Order], str]] = {
    "year first": _shape_year_first,
    "characters": lambda example, order: "YYYY년 MM월 DD일" if "년" in example else "YYYY年MM月DD日",
    "compact": lambda example, order: "YYYYMMDD",
    "numbers": _shape_numbers,
    "day and name": lambda example, order: "DD-Mon-YYYY" if "-" in example else "DD Mon YYYY",
    "name and day": lambda example, order: "Mon DD YYYY",
    "month": lambda example, order: "YYYY년 MM월" if "년" in example else "YYYY-MM",
    "named month": lambda example, order: "Mon YYYY",
}


def _starts_with_year(found: pa.Array) -> bool:
    """Return whether the first of three numbers may be a year of two digits: it differs less than the last, which is a day."""
    first, last = (pc.struct_field(found, [_place(found, name)]) for name in ("first", "last"))
    two_digits = bool(pc.all(pc.equal(pc.utf8_length(last), 2)).as_py())
    return two_digits and len(first.unique()) < len(last.unique())


def _place(found: pa.Array, name: str) -> int:
    return next(index for index, field in enumerate(found.type) if field.name == name)


class _Parts:
    """Year, month, day and time of the texts of one family, as integers [values]; a part that is not there is 0 or 1."""

    def __init__(self, found: pa.Array, order: Order) -> None:
        self._parts = {field.name: found.field(index) for index, field in enumerate(found.type)}
        self._rows = len(found)
        self.has_clock = self._there("hour")
        self.has_zone = self._there("zone")
        if "epoch" in self._parts:
            whole = self._number("epoch", 0)
            self.days, self.seconds = whole // 86_400, whole % 86_400
            self.is_valid = np.ones(self._rows, bool)
            return
        names = _PLACES[order] if "first" in self._parts else ("year", "month", "day")
        year, month, day = self._number(names[0], 0), self._month(names[1]), self._number(names[2], 1)
        short = self._short(names[0])
        year = np.where(short, year + np.where(year < _PIVOT, 2000, 1900), year)
        self.days, is_day = _days(year, month, day)
        self.seconds, is_time = self._clock()
        self.is_valid = is_day & is_time

    def _there(self, name: str) -> NDArray[np.bool_]:
        if name not in self._parts:
            return np.zeros(self._rows, bool)
        return np.asarray(pc.not_equal(self._parts[name], ""))

    def _number(self, name: str, default: int) -> NDArray[np.int64]:
        if name not in self._parts:
            return np.full(self._rows, default, np.int64)
        text = self._parts[name]
        filled = pc.if_else(pc.equal(text, ""), str(default), text)
        return np.asarray(filled.cast(pa.int64()).to_numpy(zero_copy_only=False))

    def _short(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(pc.equal(pc.utf8_length(self._parts[name]), 2))

    def _month(self, name: str) -> NDArray[np.int64]:
        if "name" in self._parts:
            first = pc.utf8_slice_codeunits(pc.utf8_lower(self._parts["name"]), 0, 3)
            found = pc.index_in(first, value_set=pa.array(MONTHS)).fill_null(-1)
            return np.asarray(found.to_numpy(zero_copy_only=False)).astype(np.int64) + 1
        return np.maximum(self._number(name, 0), self._number("month2", 0))

    def _clock(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the seconds since midnight in UTC or in the time of the text, and where they are valid."""
        hour, minute, second = (self._number(name, 0) for name in ("hour", "minute", "second"))
        half, before = (self._lower(name) for name in ("half", "before"))
        afternoon = _matches(half, "^p") | _matches(before, "오후")
        morning = _matches(half, "^a") | _matches(before, "오전")
        # a single hour is a time only with AM or PM
        valid = ~self.has_clock | self._there("minute") | afternoon | morning
        valid &= (hour <= np.where(afternoon | morning, 12, 24)) & (minute < 60) & (second < 61)
        hour = np.where(afternoon & (hour < 12), hour + 12, np.where(morning & (hour == 12), 0, hour))
        return hour * 3_600 + minute * 60 + second - self._offset(), valid

    def _lower(self, name: str) -> pa.Array:
        return pc.utf8_lower(self._parts[name]) if name in self._parts else pa.array([""] * self._rows, pa.string())

    def _offset(self) -> NDArray[np.int64]:
        """Return the offset from UTC in seconds."""
        if "zone" not in self._parts:
            return np.zeros(self._rows, np.int64)
        found = pc.extract_regex(
            self._parts["zone"], r"^(?P<sign>[+\-])(?P<hours>[0-9]{2}):?(?P<minutes>(?:[0-9]{2})?)$"
        )
        sign, hours, minutes = (
            np.asarray(found.field(place).to_numpy(zero_copy_only=False), dtype=object) for place in range(3)
        )
        there = np.asarray(found.is_valid())
        offset = np.zeros(self._rows, np.int64)
        for row in map(int, np.flatnonzero(there)):
            size = int(hours[row]) * 3_600 + int(minutes[row] or 0) * 60
            offset[row] = -size if sign[row] == "-" else size
        return offset


def _matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(texts, pattern))


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the days since 1970, and where year, month and day are a date of the calendar."""
    valid = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0)
    dates = months.astype("datetime64[M]").astype("datetime64[D]") + np.where(valid, day - 1, 0)
    valid &= dates.astype("datetime64[M]").astype(np.int64) == months
    return dates.astype(np.int64), valid


def _iso_text(
    seconds: NDArray[np.int64], valid: NDArray[np.bool_], clock: NDArray[np.bool_], zone: NDArray[np.bool_]
) -> pa.Array:
    times = pa.array(np.where(valid, seconds, 0).astype("datetime64[s]")).cast(pa.string())
    text = pc.if_else(pa.array(clock), times, pc.utf8_slice_codeunits(times, 0, 10))
    text = pc.if_else(pa.array(zone), pc.binary_join_element_wise(text, "Z", ""), text)
    return pc.if_else(pa.array(valid), text, pa.scalar(None, pa.string()))
