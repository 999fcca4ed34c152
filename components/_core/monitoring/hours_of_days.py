"""Counts of a reference's days by hour, so that a window of a few hours is compared with the same hours of training.

They are kept for the newest days only, as far as the file stays small: at most `MOST_COUNTS` numbers of the features, and as many of the
outputs (about 2 bytes each).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import Bins
from components._core.monitoring.reference import HOURS, Column

MOST_COUNTS = 500_000
"""Counts by hour of all columns together: 20 columns of 13 cells keep 80 days."""
FEWEST_DAYS = 10
"""Where the bound leaves fewer days than this, none are kept: fewer cannot be calibrated."""


def days_with_hours(columns: Sequence[Bins], days: int) -> int:
    """Return for how many days, the newest, counts by hour are kept.

    Args:
        columns: The cells of all columns.
        days: Days that the reference has.
    """
    fitting = MOST_COUNTS // (HOURS * max(sum(bins.size for bins in columns), 1))
    return 0 if fitting < min(FEWEST_DAYS, days) else min(fitting, days)


def count_by_hour(
    blocks: NDArray[np.int64], hours: NDArray[np.int64], cells: NDArray[np.int64], shape: tuple[int, int, int]
) -> NDArray[np.int64]:
    """Count rows by day, hour and cell; int64 `shape`, of [days, 24, cells].

    Args:
        blocks: Day of each row, as its place among those that are kept; rows of a negative one are left out.
        hours: Hour of the day of each row, 0 to 23.
        cells: Cell of each row.
        shape: Of the result.
    """
    kept, (days, number, size) = blocks >= 0, shape
    places = (blocks[kept] * number + hours[kept]) * size + cells[kept]
    return np.bincount(places, minlength=days * number * size).reshape(shape).astype(np.int64)


@dataclass(frozen=True)
class HoursOfDays:
    """The same hours of the days of a reference.

    Attributes:
        days: Day on which each block begins, as an ordinal.
        columns: By name; a block has the counts of these hours of a day.
    """

    days: tuple[int, ...]
    columns: dict[str, Column]


def select_hours(columns: Mapping[str, Column], days: Sequence[int], first: int, length: int) -> HoursOfDays:
    """Return the counts of some hours of each day that has rows in them; without blocks where the reference has no counts by hour.

    Args:
        columns: By name, all of the same blocks.
        days: Day of each block, as an ordinal; empty when a block is not a day.
        first: First hour of the day, 0 to 23.
        length: Number of hours, 1 to 23; those after midnight are of the day that follows.
    """
    number = min((len(column.hours) for column in columns.values()), default=0)
    kept = list(days[len(days) - number :]) if number and len(days) >= number else []
    following = {day: place for place, day in enumerate(kept)}
    is_overnight = first + length > HOURS
    begins = [day for day in kept if not is_overnight or day + 1 in following]
    starts = np.asarray([following[day] for day in begins], dtype=np.int64)
    ends = np.asarray([following[day + 1] for day in begins], dtype=np.int64) if is_overnight else starts[:0]

    def select(values: NDArray[np.int64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = values[starts, first : first + length].sum(axis=1)
        return found + values[ends, : first + length - HOURS].sum(axis=1) if is_overnight else found

    selected = {}
    for name, column in columns.items():
        blocks = select(column.hours[-number:] if number else column.hours)
        if len(column.novel_hours):
            novel = select(column.novel_hours[-number:])
        elif len(column.novel):  # of texts it is known by day alone: as usual as over the whole day
            of_days = starts + len(days) - len(kept)
            shares = column.novel[of_days] / np.maximum(column.blocks[of_days].sum(axis=1), 1)
            novel = np.rint(shares * blocks.sum(axis=1)).astype(np.int64)
        else:
            novel = column.novel
        selected[name] = Column(column.bins, blocks, novel)
    has_rows = np.zeros(len(begins), dtype=bool)
    for column in selected.values():
        has_rows |= column.blocks.sum(axis=1) > 0
    return HoursOfDays(
        tuple(day for day, has in zip(begins, has_rows, strict=True) if has),
        {
            name: Column(each.bins, each.blocks[has_rows], each.novel[has_rows] if len(each.novel) else each.novel)
            for name, each in selected.items()
        },
    )
