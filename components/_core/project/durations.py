"""Spans of time as people write them in a project file: `90s`, `15m` or `15min`, `3h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

UNITS = ("s", "min", "h", "d", "w")
"""The units that messages name; `m` is `min` as well."""
_MICROSECONDS = {
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_DURATION = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)\s*({'|'.join(_MICROSECONDS)})")
_LONGEST_DAYS = 36_525
"""A hundred years: a longer one is a mistake, and may be more than a timedelta holds."""


def microseconds_of(text: str) -> float | None:
    """Return the microseconds of a duration; None when the text is not one."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _MICROSECONDS[match[2]] if match else None


def to_timedelta(text: str) -> timedelta:
    """Parse a duration.

    Raises:
        ValueError: When the text is not one, or longer than a hundred years.
    """
    found = microseconds_of(text)
    if found is None:
        raise ValueError(f"found {text[:80]!r}; allowed: a number with a unit ({', '.join(UNITS)}), as in 3h")
    if found > _LONGEST_DAYS * _MICROSECONDS["d"]:
        raise ValueError(f"found {text[:80]!r}; a hundred years at most")
    return timedelta(microseconds=found)


def check_text(value: Any) -> Any:
    """Refuse a number without a unit by saying what a duration looks like.

    Raises:
        ValueError: When the value is not a text.
    """
    if not isinstance(value, str):
        raise ValueError(f"found {str(value)[:80]}; must be a text such as 15m, 6h or 7d")
    return value


def _check_positive(text: str) -> str:
    if not to_timedelta(text):
        raise ValueError(f"found {text!r}; must be above 0")
    return text


Duration = Annotated[str, BeforeValidator(check_text), AfterValidator(_check_positive)]
"""A duration above 0, kept as it is written."""
