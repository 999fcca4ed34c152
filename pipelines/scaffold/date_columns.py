"""Detect text columns with dates, and the pattern by which TensorFlow can parse them."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?:[T ]+(\d{1,2}):\d{2}.*)?"
_ENOUGH = 0.98
"""Share of the sampled values that must match: a few broken dates count as missing."""


@dataclass(frozen=True)
class DateFormat:
    """The date format of a column.

    Attributes:
        shown: The format as it is shown.
        pattern: A regular expression (RE2) for the whole text; its groups are numbered.
        groups: Numbers of the groups for year, month, day and, if present, hour.
        named_month: Whether the month is a name.
        has_clock: Whether some values have a time of day.
        note: The assumption made; empty when the format is unambiguous.
    """

    shown: str
    pattern: str
    groups: tuple[int, int, int, int]
    named_month: bool = False
    has_clock: bool = False
    note: str = ""


_FORMATS = (
    DateFormat("YYYY-MM-DD", r"(\d{4})-(\d{1,2})-(\d{1,2})" + _CLOCK, (1, 2, 3, 4)),
    DateFormat("YYYY/MM/DD", r"(\d{4})/(\d{1,2})/(\d{1,2})" + _CLOCK, (1, 2, 3, 4)),
    DateFormat("DD.MM.YYYY", r"(\d{1,2})\.(\d{1,2})\.(\d{4})" + _CLOCK, (3, 2, 1, 4)),
    DateFormat("MM/DD/YYYY", r"(\d{1,2})/(\d{1,2})/(\d{4})" + _CLOCK, (3, 1, 2, 4)),
    DateFormat("DD/MM/YYYY", r"(\d{1,2})/(\d{1,2})/(\d{4})" + _CLOCK, (3, 2, 1, 4)),
    DateFormat("MM-DD-YYYY", r"(\d{1,2})-(\d{1,2})-(\d{4})" + _CLOCK, (3, 1, 2, 4)),
    DateFormat("DD-MM-YYYY", r"(\d{1,2})-(\d{1,2})-(\d{4})" + _CLOCK, (3, 2, 1, 4)),
    DateFormat("Mon DD YYYY", r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})" + _CLOCK, (3, 1, 2, 4), named_month=True),
    DateFormat("DD Mon YYYY", r"(\d{1,2})[- ]([A-Za-z]{3,9})\.?[- ](\d{4})" + _CLOCK, (3, 2, 1, 4), named_month=True),
)
_EITHER_WAY = {"MM/DD/YYYY": "DD/MM/YYYY", "MM-DD-YYYY": "DD-MM-YYYY"}


def find_date_format(values: tuple[str, ...]) -> DateFormat | None:
    """Find the format of (nearly) all values; None when they are not dates.

    Args:
        values: Different values of a column of text.
    """
    if not values:
        return None
    found = max(_FORMATS, key=lambda form: _share(values, form))  # the first of those that match equally well
    share = _share(values, found)
    if share < _ENOUGH:
        return None
    note = ""
    other = _EITHER_WAY.get(found.shown)
    if other and _share(values, next(form for form in _FORMATS if form.shown == other)) == share:
        note = f"read as {found.shown}; it could as well be {other}"
    clock = any(match[found.groups[3]] for value in values if (match := re.fullmatch(found.pattern, value)))
    return DateFormat(found.shown, found.pattern, found.groups, found.named_month, clock, note)


def _share(values: tuple[str, ...], form: DateFormat) -> float:
    return sum(_is_date(value, form) for value in values) / len(values)


def _is_date(value: str, form: DateFormat) -> bool:
    match = re.fullmatch(form.pattern, value)
    if match is None:
        return False
    _, month, day = (match[group] for group in form.groups[:3])
    is_month = 1 <= int(month) <= 12 if month.isdigit() else month[:3].lower() in MONTHS
    return is_month and 1 <= int(day) <= 31
