"""How far two vectors of counts are apart: the G statistic of homogeneity, and the Jensen-Shannon distance.

G is twice the log-likelihood ratio of "one distribution" against "two" (S. Wilks, Annals of Mathematical Statistics 9, 1938), and equals
the Jensen-Shannon divergence weighted by the two sizes (J. Lin, IEEE Transactions on Information Theory 37(1), 1991). It is
divided by the correction of D. Williams (Biometrika 63, 1976), without which small samples look too different.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST_EXPECTED = 5.0


def g_statistic(before: Floats, now: Floats) -> tuple[float, int]:
    """Return G and its degrees of freedom; (0, 0) when there is nothing to compare.

    Cells in which fewer than five rows of `now` are expected are pooled into one.

    Args:
        before: Counts by cell, shape [cells]; expected ones need not be whole.
        now: Counts by cell, shape [cells].
    """
    rows_before, rows_now = float(before.sum()), float(now.sum())
    if not rows_before or not rows_now:
        return 0.0, 0
    rare = (before + now) * (rows_now / (rows_before + rows_now)) < _LEAST_EXPECTED
    before = np.append(before[~rare], before[rare].sum())
    now = np.append(now[~rare], now[rare].sum())
    both = before + now
    there = both > 0
    before, now, both = before[there], now[there], both[there]
    cells = len(both)
    if cells < 2:
        return 0.0, 0
    rows = rows_before + rows_now
    statistic = 2 * (_likelihood(before, both * (rows_before / rows)) + _likelihood(now, both * (rows_now / rows)))
    correction = (rows / rows_before + rows / rows_now - 1) * (rows * float((1 / both).sum()) - 1)
    return max(statistic, 0.0) / (1 + correction / (6 * rows * (cells - 1))), cells - 1


def jensen_shannon_distance(before: Floats, now: Floats) -> float:
    """Return the square root of the Jensen-Shannon divergence, base 2, of two vectors of counts: 0 (equal) to 1 (nothing in common)."""
    if not before.sum() or not now.sum():
        return 0.0
    p, q = before / before.sum(), now / now.sum()
    middle = (p + q) / 2
    divergence = (_likelihood(p, middle) + _likelihood(q, middle)) / (2 * np.log(2))
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def _likelihood(counts: Floats, expected: Floats) -> float:
    some = counts > 0
    return float(np.sum(counts[some] * np.log(counts[some] / expected[some])))
