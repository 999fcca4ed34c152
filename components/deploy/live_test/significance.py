"""The statistics of live tests: how many labels a test needs, and what a difference means. Only NumPy and the standard library."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_NORMAL = NormalDist()
LEAST_UNITS = 30
"""Fewest units, such as requests or customers, of which a mean is taken as normal: of five rows each, all hits and all misses, the tests below find
twice as many differences as the significance allows where there is none."""


@dataclass(frozen=True)
class Difference:
    """A difference of two means.

    Attributes:
        value: The difference.
        error: Its standard error; 0: no value varies.
        p: Probability of a difference so large where there is none.
        low: Lower end of its confidence interval, whose probability is 1 - significance (two-sided).
        high: Upper end.
        n: Number of values behind it.
    """

    value: float
    error: float
    p: float
    low: float
    high: float
    n: int


def sample_size(
    effect: float, spread: float, significance: float, power: float, share: float, *, two_sided: bool
) -> int:
    """Return how many rows a comparison of two means needs in both arms together, by the normal approximation.

    At least `LEAST_UNITS` are in the smaller arm.

    n = (z_a + z_b)² s² (1 / q + 1 / (1 - q)) / d²  (Fleiss, Statistical Methods for Rates and Proportions, chapter 4, for unequal arms)

    Args:
        effect: Smallest difference d that is to be found.
        spread: Standard deviation s of a row's value, in both arms.
        significance: Probability of finding a difference where there is none.
        power: Probability of finding a difference of `effect`.
        share: Share q of the rows in one arm.
        two_sided: Whether a difference in either direction counts.
    """
    z = _NORMAL.inv_cdf(1 - (significance / 2 if two_sided else significance)) + _NORMAL.inv_cdf(power)
    least = math.ceil(LEAST_UNITS / min(share, 1 - share))
    return max(least, math.ceil((z * spread / effect) ** 2 * (1 / share + 1 / (1 - share))))


def estimate_distinct(counts: Iterable[int]) -> float:
    """Estimate the number of distinct values behind a sample, those too that are not in it; rather too few than too many.

    D + f1 (f1 - 1) / (2 (f2 + 1)), of D values of which f1 occur once and f2 twice  (Chao, Nonparametric Estimation of the Number of Classes in a Population, 1984,
    in the form without bias)

    Args:
        counts: How often each value occurs in the sample.
    """
    times = Counter(counts)
    return times.total() + times[1] * (times[1] - 1) / (2 * (times[2] + 1))


def compare_arms(
    new: Values, old: Values, units: tuple[NDArray[Any], NDArray[Any]], significance: float, *, two_sided: bool
) -> Difference | None:
    """Test whether the mean of one arm differs from that of the other (one-sided: is larger); None with too few units in an arm.

    Rows of one unit, such as a customer, may resemble one another: the error is that of a mean over units of different sizes (Deng et al.,
    Applying the Delta Method in Metric Analytics, 2018). Where each row is a unit it is Welch's, or that of both arms together where that is larger: the
    few rows of a small share may all be hits, and seem not to vary at all (with 5 % misses, and 30 and 270 rows, Welch's finds a difference in 22 % of the
    draws of equal versions).

    Args:
        new: Values of the rows of one arm, shape [rows].
        old: Those of the other.
        units: The unit of each row, of both arms.
        significance: Of the test, and of the interval.
        two_sided: Whether a difference in either direction counts.
    """
    parts = [_mean_of_units(values, of) for values, of in zip((new, old), units, strict=True)]
    if any(part is None for part in parts):
        return None
    (mean, variance), (other, other_variance) = (part for part in parts if part is not None)
    rows = len(new), len(old)
    of_a_row = (variance * rows[0] ** 2 + other_variance * rows[1] ** 2) / sum(rows)
    error = math.sqrt(max(variance + other_variance, of_a_row * (1 / rows[0] + 1 / rows[1])))
    return _difference(mean - other, error, sum(rows), significance, two_sided=two_sided)


def compare_pairs(differences: Values, units: NDArray[Any], significance: float) -> Difference | None:
    """Test whether the mean of paired differences is 0 (two-sided, paired z test by units as in `compare_arms`); None with too few units.

    Args:
        differences: Difference of both versions' values for each row, shape [rows].
        units: The unit of each row, such as its request.
        significance: Of the test, and of the interval.
    """
    part = _mean_of_units(differences, units)
    if part is None:
        return None
    return _difference(part[0], math.sqrt(part[1]), len(differences), significance, two_sided=True)


def sign_test(wins: int, losses: int) -> float:
    """Return the probability of so many losses or more of wins + losses where both are equally likely: McNemar's exact test, one-sided.

    Args:
        wins: Rows that only the new version has right.
        losses: Rows that only the old one has right.
    """
    n = wins + losses
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2) for k in range(losses, n + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _mean_of_units(values: Values, units: NDArray[Any]) -> tuple[float, float] | None:
    """Return the mean of the rows, and its variance by units; None with fewer than `LEAST_UNITS`."""
    _, of_row = np.unique(units, return_inverse=True)
    rows = np.bincount(of_row)
    count = len(rows)
    if count < LEAST_UNITS:
        return None
    sums = np.bincount(of_row, weights=values)
    mean = float(values.mean())
    residuals = sums - mean * rows
    return mean, float(count / (count - 1) * (residuals**2).sum() / len(values) ** 2)


def _difference(value: float, error: float, n: int, significance: float, *, two_sided: bool) -> Difference:
    half = _NORMAL.inv_cdf(1 - significance / 2) * error
    if error:
        z = value / error
        p = 2 * _NORMAL.cdf(-abs(z)) if two_sided else _NORMAL.cdf(-z)
    else:
        p = 0.0 if value > 0 or (value and two_sided) else 1.0
    return Difference(value, error, p, value - half, value + half, n)
