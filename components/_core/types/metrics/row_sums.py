"""Sums over blocks of rows, the basis of every metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Numbers = NDArray[np.float64]


def add_up(values: Numbers, blocks: Array, count: int) -> Numbers:
    """Sum a value over each block, shape [blocks]."""
    return np.bincount(blocks, weights=values, minlength=count).astype(np.float64)


def over_all_rows(
    sums: Callable[[Array, Array, Array, int], dict[str, Numbers]], labels: Array, scores: Array
) -> dict[str, Numbers]:
    """Return sums by name over all rows, without the axis of the blocks.

    Args:
        sums: Computes sums by block, from labels, scores, the block of each row and the number of blocks.
        labels: Class index or target, shape [rows].
        scores: Scores of the rows.
    """
    one = np.zeros(len(labels), dtype=np.int64)
    return {name: values[0] for name, values in sums(labels, scores, one, 1).items()}


def ratio(above: Numbers, below: Numbers) -> Numbers:
    """Divide, with 0/0 = 0."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below != 0)
