"""How many rows a day the request log has, to say whether a live test can reach what it needs before its deadline."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from components._core.errors import UnavailableError
from components._core.request_log.answered_lines import BATCH
from components._core.request_log.hours import list_closed_hours, list_objects, read_lines

_LOOK_BACK, _HOUR = timedelta(days=7), timedelta(hours=1)
_READ_BYTES = 32 << 20
"""Bytes of the log that are read; the others are counted as alike."""


def rows_per_day(uri: str, now: datetime) -> float | None:
    """Estimate the rows that servers answer in a day, from a week of the request log; None when it has none.

    Args:
        uri: Folder of the log.
        now: The present.

    Raises:
        ConfigError: Without permission to read the log.
        UnavailableError: When the store does not answer.
    """
    hours = list_closed_hours(uri, now + 2 * _HOUR, settle_seconds=0.0, since=now - _LOOK_BACK)
    objects = [found for hour in hours for found in list_objects(uri, hour)]
    if not objects:
        return None
    rows, read = 0.0, 0
    for found in reversed(objects):
        if read and read + found.size > _READ_BYTES:
            break
        rows, read = rows + sum(map(_rows_of, read_lines(found))), read + found.size
    total = sum(found.size for found in objects)
    elapsed = max(now - hours[0], _HOUR)
    return rows * total / max(read, 1) / (elapsed / timedelta(days=1))


def _rows_of(line: bytes) -> float:
    """Return how many answered rows a line stands for: a sampled one for others, too."""
    try:
        raw = json.loads(line)
        outputs = raw.get("outputs")
        if not outputs or raw.get("source") == BATCH:
            return 0.0
        return len(next(iter(outputs.values()))) / (raw.get("share") or 1.0)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return 0.0


def describe_reach(uri: str, now: datetime, needed: int, until: datetime, what: str) -> str:
    """Return a warning when the traffic of the last days cannot reach what a test needs; empty when it can, or is not known.

    Args:
        uri: Folder of the request log.
        now: The present.
        needed: Rows that the test needs.
        until: Its deadline.
        what: What the rows are, as in `labelled rows`.
    """
    try:
        daily = rows_per_day(uri, now)
    except UnavailableError:
        return ""
    days = (until - now) / timedelta(days=1)
    if daily is None or daily * days >= needed:
        return ""
    return (
        f"about {daily:,.0f} rows a day are answered, so {daily * days:,.0f} in the {days:.3g} days until the deadline, and the test needs {needed:,} "
        f"{what}: it will end short of them"
    )
