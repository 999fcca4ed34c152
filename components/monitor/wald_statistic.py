"""How unlikely the difference of two vectors of counts is, when days differ more than chance makes rows differ; and how large it is.

The Wald statistic of homogeneity (J. Rao and A. Scott, Journal of the American Statistical Association 76, 1981; H. Hotelling, Annals of
Mathematical Statistics 2, 1931): the squared difference of the shares of the cells over its covariance. That has two parts: chance, which
falls with the rows, and the spread between days, which falls with the days. A bad day moves some cells together, and a difference in that
direction is nothing; one of the same size in a direction in which days do not differ is much. Without a spread it is Pearson's chi-square.

The covariance of few days is uncertain, so it is shrunk to one that is the same in all directions (O. Ledoit and M. Wolf, Journal
of Multivariate Analysis 88, 2004): with as many days as degrees of freedom by half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class Spread:
    """How the shares of the cells differ between blocks (days) without drift; one for each comparison of a stack, shape [...].

    Attributes:
        moments: Mean product of the differences of two cells, weighted by rows, shape [..., cells, cells].
        noise: The part of it that chance makes, in units of the covariance of one row, shape [...].
        factor: By how much it is too large, as each block is compared with a mean of few others, shape [...].
        blocks: Number of blocks, shape [...].
    """

    moments: Floats
    noise: Floats
    factor: Floats
    blocks: Floats


def wald_statistic(
    before: Floats,
    now: Floats,
    spread: Spread | None = None,
    blocks_before: Floats | float = 1.0,
    blocks_now: Floats | float = 1.0,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the statistic of each comparison of a stack, and its degrees of freedom, 0 when there is nothing to compare; shape [...] each.

    Cells in which fewer than five rows of `now` are expected are pooled into one.

    Args:
        before: Counts by cell, shape [..., cells]; expected ones need not be whole.
        now: Counts by cell, shape [..., cells].
        spread: Between blocks; None: rows are independent.
        blocks_before: Blocks that `before` is made of, shape [...].
        blocks_now: Blocks that `now` is made of, shape [...].
    """
    shape, cells = before.shape[:-1], before.shape[-1]
    before, now = before.reshape(-1, cells), now.reshape(-1, cells)
    days = np.broadcast_to(1 / np.asarray(blocks_before) + 1 / np.asarray(blocks_now), shape).reshape(-1)
    if spread is not None:
        parts = (spread.moments.reshape(-1, cells, cells), *map(np.ravel, (spread.noise, spread.factor, spread.blocks)))
    statistics, degrees = np.zeros(len(now)), np.zeros(len(now), dtype=np.int64)
    are_rare = _find_rare(before, now)
    has_rest = np.where(are_rare, before + now, 0.0).sum(axis=1) > 0
    patterns, which = np.unique(np.column_stack([are_rare, has_rest]), axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        own, is_rare = np.flatnonzero(which.ravel() == number), pattern[:-1]
        pooling = np.vstack([np.eye(cells)[~is_rare], *([is_rare.astype(np.float64)] if pattern[-1] else [])])
        if len(pooling) < 2:
            continue
        between = None if spread is None else Spread(*(part[own] for part in parts))
        degrees[own] = len(pooling) - 1
        statistics[own] = _pooled_statistic(before[own], now[own], pooling, between, days[own])
    return statistics.reshape(shape), degrees.reshape(shape)


def _pooled_statistic(before: Floats, now: Floats, pooling: Floats, spread: Spread | None, days: Floats) -> Floats:
    """Return the statistic of comparisons that pool the same cells, shape [comparisons].

    Args:
        before: Counts, shape [comparisons, cells].
        now: Counts, shape [comparisons, cells].
        pooling: Which cells each pooled one is made of, 1 or 0; shape [pooled, cells].
        spread: Between blocks, of each comparison.
        days: How much of the spread a comparison has, shape [comparisons].
    """
    before, now = before @ pooling.T, now @ pooling.T
    rows_before, rows_now = before.sum(axis=1), now.sum(axis=1)
    scale = np.sqrt((before + now) / (rows_before + rows_now)[:, None])
    difference = (now / rows_now[:, None] - before / rows_before[:, None]) / scale
    chance, degrees = 1 / rows_before + 1 / rows_now, len(pooling) - 1
    if spread is None:
        found: Floats = (difference**2).sum(axis=1) / chance
        return found
    moments = pooling @ spread.moments @ pooling.T / (scale[:, :, None] * scale[:, None, :])
    values, directions = np.linalg.eigh(moments)
    between = np.maximum(values - spread.noise[:, None], 0.0) / spread.factor[:, None]
    shrinkage = (degrees / (degrees + spread.blocks))[:, None]
    between = (1 - shrinkage) * between + shrinkage * between.sum(axis=1, keepdims=True) / degrees
    variance = chance[:, None] + days[:, None] * between
    statistics: Floats = ((difference[:, None, :] @ directions)[:, 0, :] ** 2 / variance).sum(axis=1)
    return statistics


def jensen_shannon_distance(before: Floats, now: Floats) -> float:
    """Return the square root of the Jensen-Shannon divergence, base 2, of two vectors of counts: 0 (equal) to 1 (nothing in common).

    Source: J. Lin, IEEE Transactions on Information Theory 37(1), 1991.
    """
    if not before.sum() or not now.sum():
        return 0.0
    p, q = before / before.sum(), now / now.sum()
    middle = (p + q) / 2
    divergence = (_information(p, middle) + _information(q, middle)) / 2
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def _find_rare(before: Floats, now: Floats) -> NDArray[np.bool_]:
    """Return which cells are pooled in each comparison, shape [comparisons, cells]; all where one side has no rows."""
    both, rows = before + now, now.sum(axis=1)
    expected = both * (rows / np.maximum(both.sum(axis=1), 1e-9))[:, None]
    are_rare: NDArray[np.bool_] = expected < _LEAST_EXPECTED
    rest = np.where(are_rare, expected, 0.0).sum(axis=1)
    joins_one = are_rare.any(axis=1) & ~are_rare.all(axis=1) & (rest > 0) & (rest < _LEAST_EXPECTED)
    smallest = np.argmin(np.where(are_rare, np.inf, expected), axis=1)
    are_rare[joins_one, smallest[joins_one]] = True
    are_rare[(rows <= 0) | (before.sum(axis=1) <= 0)] = True
    return are_rare


def _information(shares: Floats, middle: Floats) -> float:
    some = shares > 0
    return float(np.sum(shares[some] * np.log2(shares[some] / middle[some])))
