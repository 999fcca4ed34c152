"""Statistics of agreement between annotators, each with an interval from a bootstrap over the items.

| statistic | of | source |
| --- | --- | --- |
| percent agreement | all pairs of annotators on one item | |
| Cohen's kappa | two annotators | Cohen, A coefficient of agreement for nominal scales (1960) |
| Fleiss' kappa | any number of annotators | Fleiss, Measuring nominal scale agreement among many raters (1971) |
| Krippendorff's alpha | any number, any scale, any gaps | Krippendorff, Computing Krippendorff's alpha-reliability (2011) |

An item that fewer than two annotators have seen takes part in none of them. Fleiss' kappa is defined for equally many annotations of each item;
with gaps an item's agreement is that of its own pairs, and a value's share that of all annotations. A statistic is undefined, and None,
where all annotations are the same value: chance alone would agree as much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components._labels.votes import NONE, Votes

Level = Literal["nominal", "ordinal", "interval"]
REPLICATES = 1_000
"""Samples of the bootstrap: the ends of a 95 % interval are settled to about a hundredth of the statistic's spread."""
_SEED = 20_260
_CONFIDENCE = 0.95

Weights = NDArray[np.float64]
"""How often each item counts: ones, or the counts of a bootstrap sample."""
Statistic = Callable[[Weights], float | None]


@dataclass(frozen=True)
class Estimate:
    """A statistic with its interval.

    Attributes:
        value: The statistic; None: undefined.
        low: Lower end of the 95 % interval; None where it cannot be computed.
        high: Upper end of the interval.
        items: Number of items that it is computed from.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int


def measure_percent(votes: Votes) -> Estimate:
    """Measure the share of agreeing pairs: the mean over the items that two or more annotators have seen."""
    return _estimate(percent_statistic(votes.with_two()), votes.with_two())


def measure_fleiss(votes: Votes) -> Estimate:
    """Measure Fleiss' kappa, of classes."""
    return _estimate(fleiss_statistic(votes.with_two()), votes.with_two())


def measure_alpha(votes: Votes, level: Level) -> Estimate:
    """Measure Krippendorff's alpha.

    Args:
        votes: The annotations; numbers for the level `interval`, or classes that are numbered 0, 1, 2 ... then.
        level: How values differ: `nominal` (or not), `ordinal` (by their ranks), `interval` (by their difference).
    """
    return _estimate(alpha_statistic(votes.with_two(), level), votes.with_two())


def measure_cohen(votes: Votes) -> dict[tuple[str, str], Estimate]:
    """Measure Cohen's kappa of each two annotators that have an item in common, of classes."""
    found = {}
    for one, other in combinations(range(len(votes.annotators)), 2):
        pair = Votes(
            votes.values, (votes.annotators[one], votes.annotators[other]), votes.codes[:, [one, other]], votes.points
        )
        shared = pair.with_two()
        if len(shared.codes):
            found[shared.annotators[0], shared.annotators[1]] = _estimate(cohen_statistic(shared), shared)
    return found


def percent_statistic(votes: Votes) -> Statistic:
    """Return the share of agreeing pairs as a function of the items' weights."""
    agreeing = _agreeing_share(votes)
    return lambda weights: _ratio(float(weights @ agreeing), float(weights.sum()))


def fleiss_statistic(votes: Votes) -> Statistic:
    """Return Fleiss' kappa as a function of the items' weights."""
    counts, agreeing = votes.counts(), _agreeing_share(votes)

    def statistic(weights: Weights) -> float | None:
        observed = _ratio(float(weights @ agreeing), float(weights.sum()))
        totals = weights @ counts
        return _kappa(observed, float(((totals / max(totals.sum(), 1)) ** 2).sum()))

    return statistic


def cohen_statistic(votes: Votes) -> Statistic:
    """Return Cohen's kappa as a function of the items' weights.

    Args:
        votes: Of two annotators, without gaps.
    """
    size = len(votes.values)
    cells = votes.codes[:, 0].astype(np.int64) * size + votes.codes[:, 1]

    def statistic(weights: Weights) -> float | None:
        table = np.bincount(cells, weights=weights, minlength=size * size).reshape(size, size)
        total = table.sum()
        expected = _ratio(float(table.sum(axis=0) @ table.sum(axis=1)), total * total)
        return _kappa(_ratio(float(np.trace(table)), total), expected)

    return statistic


def alpha_statistic(votes: Votes, level: Level) -> Statistic:
    """Return Krippendorff's alpha as a function of the items' weights: one less the ratio of observed to expected disagreement."""
    if level == "interval":
        return _interval_alpha(votes)
    return _nominal_alpha(votes) if level == "nominal" else _ordinal_alpha(votes)


def _nominal_alpha(votes: Votes) -> Statistic:
    counts = votes.counts()
    sizes = counts.sum(axis=1)
    apart = (sizes**2 - (counts**2).sum(axis=1)) / np.maximum(sizes - 1, 1)

    def statistic(weights: Weights) -> float | None:
        totals = weights @ counts
        number = totals.sum()
        return _alpha(weights @ apart, (number**2 - (totals**2).sum()) / max(number - 1, 1))

    return statistic


def _ordinal_alpha(votes: Votes) -> Statistic:
    """Of ordered classes: the distance of two is the difference of their mean ranks among all annotations of the sample."""
    counts = votes.counts()
    sizes = counts.sum(axis=1)

    def statistic(weights: Weights) -> float | None:
        totals = weights @ counts
        ranks = np.cumsum(totals) - totals / 2
        return _squared_alpha(weights, sizes, counts @ ranks, counts @ ranks**2)

    return statistic


def _interval_alpha(votes: Votes) -> Statistic:
    points = votes.points if votes.is_numeric else np.arange(len(votes.values), dtype=np.float64)
    given = votes.codes != NONE
    points = (
        points - points[votes.codes[given]].mean() if given.any() else points
    )  # differences stay, squares get smaller
    numbers = np.where(given, points[np.maximum(votes.codes, 0)], 0.0)
    sizes, sums, squares = given.sum(axis=1).astype(np.float64), numbers.sum(axis=1), (numbers**2).sum(axis=1)
    return lambda weights: _squared_alpha(weights, sizes, sums, squares)


def _squared_alpha(weights: Weights, sizes: Weights, sums: Weights, squares: Weights) -> float | None:
    """Return alpha where two values differ by the square of their distance, from the moments of each item's values."""
    apart = 2 * (sizes * squares - sums**2) / np.maximum(sizes - 1, 1)
    number, total = weights @ sizes, weights @ sums
    expected = 2 * (number * (weights @ squares) - total**2) / max(number - 1, 1)
    return _alpha(weights @ apart, expected)


def _agreeing_share(votes: Votes) -> NDArray[np.float64]:
    """Return the share of each item's pairs of annotations that are equal."""
    rows, columns = np.nonzero(votes.codes != NONE)
    cells, times = np.unique(rows * len(votes.values) + votes.codes[rows, columns], return_counts=True)
    items = len(votes.codes)
    agreeing = np.bincount(cells // max(len(votes.values), 1), weights=times * (times - 1.0), minlength=items)
    sizes = np.bincount(rows, minlength=items)
    return np.asarray(agreeing / np.maximum(sizes * (sizes - 1), 1))


def _alpha(observed: float, expected: float) -> float | None:
    return None if expected <= 1e-12 else float(1 - observed / expected)


def _kappa(observed: float | None, expected: float | None) -> float | None:
    if observed is None or expected is None or expected >= 1 - 1e-12:
        return None
    return (observed - expected) / (1 - expected)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None


def _estimate(statistic: Statistic, votes: Votes) -> Estimate:
    """Compute a statistic of the items, and its interval: the middle 95 % of what samples of as many items give."""
    items = len(votes.codes)
    value = statistic(np.ones(items)) if items else None
    if value is None or items < 2:
        return Estimate(value, None, None, items)
    generator = np.random.default_rng(_SEED)
    samples = (np.bincount(generator.integers(0, items, items), minlength=items) for _ in range(REPLICATES))
    found = [sampled for each in samples if (sampled := statistic(each.astype(np.float64))) is not None]
    if (
        len(found) < REPLICATES / 2
    ):  # mostly samples of one value: an interval of the others would be of another question
        return Estimate(value, None, None, items)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), items)
