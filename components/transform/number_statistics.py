"""Moments and products of columns of numbers over many rows, batch by batch: memory grows with the columns, not with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.examples.artifact import read_batches
from components._core.types.signature import Feature, to_arrays

Numbers = Mapping[str, NDArray[np.generic]]
"""Values of columns by name, [rows]; a missing value is NaN. Infinite ones count as missing here."""
Batches = Callable[[], Iterator[Numbers]]
"""Starts a pass over the rows."""
Vector = NDArray[np.float64]

MOST_COLUMNS = 500
"""Columns whose products are summed: a matrix of 2 MB for each sum."""
_SLICE = 8_192
"""Rows multiplied at once."""
_NO_SPREAD = 1e-12
"""Variance, as a share of the column's own, below which it is rounding."""


@dataclass(frozen=True)
class Moments:
    """Moments of columns, each over its known values.

    Attributes:
        names: The columns.
        rows: Rows of each.
        known: Number of known values by column.
        mean: Means; 0 where no value is known.
        variance: Mean squared distances from the mean; 0 exactly where all known values are equal, and only there.
    """

    names: tuple[str, ...]
    rows: int
    known: NDArray[np.int64]
    mean: Vector
    variance: Vector

    def select(self, names: Iterable[str]) -> Moments:
        """The moments of some of the columns."""
        chosen = tuple(names)
        places = [self.names.index(name) for name in chosen]
        return Moments(chosen, self.rows, self.known[places], self.mean[places], self.variance[places])

    def standardize(self, numbers: Numbers) -> tuple[Vector, NDArray[np.bool_]]:
        """Convert values to z-scores [rows, columns], 0 where one is missing or all are equal; returns them and which are known."""
        values = np.stack([np.asarray(numbers[name], np.float64) for name in self.names], axis=1)
        known = np.isfinite(values)
        return np.where(known, (values - self.mean) * inverse(np.sqrt(self.variance)), 0.0), known


def inverse(deviation: Vector) -> Vector:
    """1 / deviation, and 0 where the deviation is 0."""
    found: Vector = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return found


class _Column:
    """Accumulates one column: count, mean and squared distances, merged exactly (Chan et al., 1979)."""

    def __init__(self) -> None:
        self.known, self.mean, self.squares = 0, 0.0, 0.0
        self._low: Any = None
        self._high: Any = None

    def add(self, values: NDArray[np.generic]) -> None:
        """Add the values of a batch."""
        kept = values[np.isfinite(values)]
        if not len(kept):
            return
        low, high = kept.min(), kept.max()  # in their own type: whole numbers beyond 2^53 stay different
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)
        real = kept.astype(np.float64)
        mean, count = float(real.mean()), len(real)
        shift, total = mean - self.mean, self.known + count
        self.squares += float(np.square(real - mean).sum()) + shift**2 * self.known * count / total
        self.mean += shift * count / total
        self.known = total

    @property
    def variance(self) -> float:
        """The variance; see `Moments`."""
        if not self.known or self._low == self._high:
            return 0.0
        return max(self.squares / self.known, float(np.finfo(np.float64).tiny))


def measure(batches: Batches, names: tuple[str, ...]) -> Moments:
    """Measure columns in one pass over the rows.

    Args:
        batches: The rows; they may have further columns.
        names: The columns to measure.
    """
    columns, rows = {name: _Column() for name in names}, 0
    for numbers in batches():
        rows += len(next(iter(numbers.values()), ()))
        for name, column in columns.items():
            column.add(numbers[name])
    found = columns.values()
    return Moments(
        names,
        rows,
        np.array([column.known for column in found], np.int64),
        np.array([column.mean for column in found], np.float64),
        np.array([column.variance for column in found], np.float64),
    )


def covariance(batches: Batches, moments: Moments) -> Vector:
    """Covariance [columns, columns] of the standardized columns, a missing value being the mean; one pass over the rows."""
    size = len(moments.names)
    total = np.zeros((size, size))
    for numbers in batches():
        for part in _slices(numbers):
            scores, _ = moments.standardize(part)
            total += scores.T @ scores
    return total / max(moments.rows, 1)


def correlate(batches: Batches, moments: Moments) -> tuple[Vector, Vector]:
    """Correlate every two columns over the rows in which both are known; one pass over the rows.

    Returns:
        The correlations [columns, columns], 0 where there is none (no spread in these rows); and the numbers of rows.
    """
    size = len(moments.names)
    both, sums, squares, products = (np.zeros((size, size)) for _ in range(4))
    for numbers in batches():
        for part in _slices(numbers):
            scores, known = moments.standardize(part)
            mask = known.astype(np.float64)
            products += scores.T @ scores
            if known.all():  # three products less
                both += len(scores)
                sums += scores.sum(axis=0)[:, None]
                squares += np.square(scores).sum(axis=0)[:, None]
            else:
                both += mask.T @ mask
                sums += scores.T @ mask
                squares += np.square(scores).T @ mask
    rows = np.maximum(both, 1.0)
    spread = squares - np.square(sums) / rows  # [i, j]: of column i over the rows in which j is known
    shared = products - sums * sums.T / rows
    scale = np.sqrt(np.maximum(spread, 0.0) * np.maximum(spread.T, 0.0))
    certain = np.minimum(spread, spread.T) > _NO_SPREAD * rows
    return np.divide(shared, scale, out=np.zeros_like(shared), where=certain), both


def read_training_rows(examples: Path, features: tuple[Feature, ...]) -> Iterator[Numbers]:
    """Yield columns of the training rows, batch by batch; texts as texts."""
    for batch in read_batches(examples, "train", [feature.name for feature in features]):
        yield to_arrays(batch, features)


def _slices(numbers: Numbers) -> Iterator[Numbers]:
    rows = len(next(iter(numbers.values()), ()))
    for start in range(0, rows, _SLICE):
        yield {name: values[start : start + _SLICE] for name, values in numbers.items()}
