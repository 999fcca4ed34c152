"""Find numbers that stand for a missing value, such as -999.

The rule. A number of nines (two digits or more) below zero is missing when it repeats and every other value is 0 or
more. It is only suspected, and stays a number, when other values are below zero, too, but far from it; so are nines
above all other values by a factor of three, and -1 where everything else is 0 or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NINES = (99, 999, 9_999, 99_999, 999_999, 9_999_999)
_FEWEST = 2
_FEWEST_SUSPECTED = 3
_FAR = 3.0


@dataclass(frozen=True)
class Sentinel:
    """A number that may mean that there is no value.

    Attributes:
        value: The number as text, as in `data.columns`.
        rows: Its rows in the sample.
        is_clear: Whether it is taken as missing; otherwise it is only reported.
    """

    value: str
    rows: int
    is_clear: bool


def find_sentinels(numbers: NDArray[np.float64]) -> list[Sentinel]:
    """Find the sentinels of a column.

    Args:
        numbers: Its values, without the missing ones.
    """
    values, counts = np.unique(numbers, return_counts=True)
    found = []
    while len(values) > 1 and (sentinel := _lowest(values, counts)):
        found.append(sentinel)
        values, counts = values[1:], counts[1:]
    if not found and len(values) > 2 and (highest := _highest(values, counts)):
        found.append(highest)
    return found


def _lowest(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Sentinel | None:
    lowest, rest, rows = values[0], values[1:], int(counts[0])
    if rest[rest >= 0].size == 0:
        return None
    others = rest[~np.isin(-rest, _NINES)]
    is_above = bool(others.size and others[0] >= 0)
    if -lowest in _NINES and rows >= _FEWEST:
        if is_above:
            return Sentinel(str(int(lowest)), rows, True)
        if rows >= _FEWEST_SUSPECTED and lowest < _FAR * rest[0]:
            return Sentinel(str(int(lowest)), rows, False)
    if lowest == -1 and is_above and rows >= _FEWEST_SUSPECTED and len(rest) > 2:
        return Sentinel("-1", rows, False)
    return None


def _highest(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Sentinel | None:
    highest, rows = values[-1], int(counts[-1])
    if highest in _NINES and rows >= _FEWEST_SUSPECTED and highest > _FAR * max(abs(values[-2]), abs(values[0])):
        return Sentinel(str(int(highest)), rows, False)
    return None
