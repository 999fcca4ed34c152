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
) -> tuple[Floats, int]:
    """Return the statistic of each comparison, shape [...], and its degrees of freedom; 0 degrees when there is nothing to compare.

    Cells in which fewer than five rows of `now` are expected, in the mean of the stack, are pooled into one.

    Args:
        before: Counts by cell, shape [..., cells]; expected ones need not be whole.
        now: Counts by cell, shape [..., cells].
        spread: Between blocks; None: rows are independent.
        blocks_before: Blocks that `before` is made of, shape [...].
        blocks_now: Blocks that `now` is made of, shape [...].
    """
    nothing = np.zeros(before.shape[:-1]), 0
    if not before.sum() or not now.sum():
        return nothing
    cells = before.shape[-1]
    pooling = _pool((before + now).reshape(-1, cells).mean(axis=0), now.sum() / (before.sum() + now.sum()))
    if len(pooling) < 2:
        return nothing
    before, now = before @ pooling.T, now @ pooling.T
    rows_before, rows_now = (np.maximum(counts.sum(axis=-1), 1e-9) for counts in (before, now))
    # a cell may be empty in one comparison of a stack
    scale = np.sqrt(np.maximum(before + now, 1e-9) / (rows_before + rows_now)[..., None])
    difference = (now / rows_now[..., None] - before / rows_before[..., None]) / scale
    chance, degrees = 1 / rows_before + 1 / rows_now, len(pooling) - 1
    if spread is None:
        return (difference**2).sum(axis=-1) / chance, degrees
    moments = pooling @ spread.moments @ pooling.T / (scale[..., :, None] * scale[..., None, :])
    values, directions = np.linalg.eigh(moments)
    between = np.maximum(values - spread.noise[..., None], 0.0) / spread.factor[..., None]
    shrinkage = (degrees / (degrees + spread.blocks))[..., None]
    between = (1 - shrinkage) * between + shrinkage * between.sum(axis=-1, keepdims=True) / degrees
    days = np.asarray(1 / np.asarray(blocks_before) + 1 / np.asarray(blocks_now))
    variance = chance[..., None] + days[..., None] * between
    return ((difference[..., None, :] @ directions)[..., 0, :] ** 2 / variance).sum(axis=-1), degrees


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


def _pool(both: Floats, share_now: float) -> Floats:
    """Return the matrix that pools rare cells, shape [pooled cells, cells]."""
    expected = both * share_now
    is_rare = expected < _LEAST_EXPECTED
    if is_rare.any() and not is_rare.all() and 0 < expected[is_rare].sum() < _LEAST_EXPECTED:
        is_rare[np.argmin(np.where(is_rare, np.inf, expected))] = True
    pooling = np.eye(len(both))[~is_rare]
    return np.vstack([pooling, is_rare.astype(np.float64)]) if both[is_rare].sum() else pooling


def _information(shares: Floats, middle: Floats) -> float:
    some = shares > 0
    return float(np.sum(shares[some] * np.log2(shares[some] / middle[some])))
