"""Spans of time as people write them in a project file: `90min`, `3h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

MICROSECONDS = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
"""Microseconds of each unit."""
_DURATION = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)\s*({'|'.join(MICROSECONDS)})")


def microseconds_of(text: str) -> float | None:
    """Return the microseconds of a duration; None when the text is not one."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * MICROSECONDS[match[2]] if match else None


def check_duration(text: str) -> str:
    """Check that a text is a duration above 0.

    Raises:
        ValueError: When it is not.
    """
    found = microseconds_of(text)
    if found is None:
        raise ValueError(f"found {text!r}; allowed: a number with a unit ({', '.join(MICROSECONDS)}), as in 3h")
    if found <= 0:
        raise ValueError(f"found {text!r}; must be above 0")
    return text


def to_timedelta(text: str) -> timedelta:
    """Return a checked duration as a timedelta."""
    return timedelta(microseconds=microseconds_of(text) or 0.0)


Duration = Annotated[str, AfterValidator(check_duration)]
"""A duration above 0, kept as it is written."""
