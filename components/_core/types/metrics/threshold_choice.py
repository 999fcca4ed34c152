"""Choose the probability from which a row counts as positive, by the metric that matters, on rows that were not learned from.

Only thresholds that call some rows positive and others not are candidates: one that says the same of every row decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components._core.checks import round_off
from components._core.types.metrics.ranking import tally
from components._core.types.metrics.row_sums import Array, Numbers, ratio


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold and what it is worth on the rows that it was chosen on.

    Attributes:
        threshold: Probability from which a row counts as positive.
        value: The metric at this threshold.
    """

    threshold: float
    value: float


_Counts = tuple[Numbers, Numbers, Numbers, Numbers]
"""True positives, false positives, false negatives and true negatives, by candidate."""


def _f1(counts: _Counts) -> Numbers:
    tp, fp, fn, _ = counts
    return ratio(2 * tp, 2 * tp + fp + fn)


def _balanced_accuracy(counts: _Counts) -> Numbers:
    tp, fp, fn, tn = counts
    return (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2


def _accuracy(counts: _Counts) -> Numbers:
    tp, fp, fn, tn = counts
    return ratio(tp + tn, tp + fp + fn + tn)


_METRICS: dict[str, Callable[[_Counts], Numbers]] = {
    "f1": _f1,
    "balanced_accuracy": _balanced_accuracy,
    "accuracy": _accuracy,
}


def choose_threshold(labels: Array, scores: Array, metric: str) -> ThresholdChoice | None:
    """Choose the threshold with the highest value of a metric; of equal ones the highest threshold.

    Args:
        labels: 0 or 1, shape [rows].
        scores: Probability of the positive class, shape [rows], finite.
        metric: `f1`, `balanced_accuracy` (the mean of recall and specificity) or `accuracy`.

    Returns:
        The choice; None when no row is positive, none is negative, or all scores are equal.
    """
    counted = tally(labels, scores)
    positives, negatives = counted.positive.sum(), counted.negative.sum()
    if not positives or not negatives or len(counted.scores) < 2:
        return None
    # rows at or above each distinct score, scores descending, without the last: that would be all rows
    tp, fp = (np.cumsum(rows[::-1])[:-1] for rows in (counted.positive, counted.negative))
    values = _METRICS[metric]((tp, fp, positives - tp, negatives - fp))
    best = int(np.argmax(values))
    above, below = (float(score) for score in counted.scores[::-1][best : best + 2])
    return ThresholdChoice(_between(below, above), float(values[best]))


def _between(below: float, above: float) -> float:
    """Return a number in the middle of two scores, where no row lies whose served score differs in the last digits."""
    middle = (below + above) / 2
    rounded = round_off(middle)
    return rounded if below < rounded < above else middle
