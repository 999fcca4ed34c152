"""Dates in examples, and the pattern by which TensorFlow can parse them.

Examples have dates as ISO text: as the table has them, or as the reading of the column makes them
(`components/_data/columns/dates.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components._data.columns.dates import ENOUGH

_PATTERN = r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):\d{2}.*)?"


@dataclass(frozen=True)
class DateFormat:
    """The ISO dates of a column.

    Attributes:
        has_clock: Whether some values have a time of day.
        pattern: A regular expression (RE2) for the whole text; its groups are numbered.
        groups: Numbers of the groups for year, month, day and hour.
    """

    has_clock: bool = False
    pattern: str = _PATTERN
    groups: tuple[int, int, int, int] = (1, 2, 3, 4)


def find_date_format(values: tuple[str, ...]) -> DateFormat | None:
    """Find the format of (nearly) all values; None when they are not ISO dates.

    Args:
        values: Different values of a column of text.
    """
    matches = [match for value in values if (match := re.fullmatch(_PATTERN, value)) and _is_date(match)]
    if not values or len(matches) < ENOUGH * len(values):
        return None
    return DateFormat(any(match[4] for match in matches))


def _is_date(match: re.Match[str]) -> bool:
    return 1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31
