"""Ranking metrics: ROC, AUC and precision-recall, from counts of rows by score, so that ties are exact.

Sources: Fawcett, "An introduction to ROC analysis" (2006); Hanley and McNeil (1982) for the AUC as the probability that
a positive row scores above a negative one, a tie counting one half; Davis and Goadrich (2006) for average precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.types.metrics.row_sums import Array, Numbers

MOST_BINS, FEWEST_BINS = 512, 16
"""Maximum and minimum number of bins in `binned_tally`."""
CURVE_POINTS = 200
"""Maximum points of a curve: the Kubeflow UI still draws them at once, and a screen shows fewer."""


@dataclass(frozen=True)
class Tally:
    """Rows by distinct score, scores ascending.

    Attributes:
        positive: Positive rows at each score, shape [scores].
        negative: Negative rows at each score, shape [scores].
        scores: The distinct scores.
    """

    positive: Numbers
    negative: Numbers
    scores: Numbers


def tally(labels: Array, scores: Array) -> Tally:
    """Count positive (label 1) and negative (label 0) rows at each distinct score."""
    distinct, place = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    positive = np.bincount(place, weights=labels.astype(np.float64), minlength=len(distinct)).astype(np.float64)
    rows = np.bincount(place, minlength=len(distinct)).astype(np.float64)
    return Tally(positive, rows - positive, distinct)


def binned_tally(truth: Array, scores: Array, blocks: Array, count: int, bins: int) -> dict[str, Numbers]:
    """Count positive and negative rows of each block by binned score, ascending.

    Args:
        truth: 1 for a positive row, 0 for a negative one, shape [rows].
        scores: Scores, shape [rows].
        blocks: The block of each row, below `count`.
        count: Number of blocks.
        bins: Maximum number of bins of equal mass.

    Returns:
        `positive` and `negative`, each of shape [blocks, bins]; equal scores may leave fewer bins.
    """
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = blocks * (len(edges) + 1) + np.searchsorted(edges, scores, side="right")
    size = count * (len(edges) + 1)
    positive = np.bincount(cells, weights=truth.astype(np.float64), minlength=size).reshape(count, -1)
    return {"positive": positive, "negative": np.bincount(cells, minlength=size).reshape(count, -1) - positive}


def bins_for(blocks: int) -> int:
    """Return the number of bins for a number of blocks: few blocks have few rows to fill them."""
    return min(MOST_BINS, max(blocks, FEWEST_BINS))


def area(positive: Numbers, negative: Numbers) -> Numbers:
    """Compute the AUC from counts by ascending score along the last axis; a tie counts one half.

    Returns:
        One number per leading index; NaN where one of the classes has no row, since nothing can be ranked.
    """
    below = np.cumsum(negative, axis=-1) - negative
    won = (positive * (below + negative / 2)).sum(axis=-1)
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return _quotient(won, pairs)


def average_precision(positive: Numbers, negative: Numbers) -> Numbers:
    """Compute the area under precision over recall, as the sum of precision times the step in recall (no interpolation).

    Args:
        positive: Positive rows by ascending score along the last axis.
        negative: Negative rows by ascending score along the last axis.

    Returns:
        One number per leading index; NaN where there is no positive row.
    """
    step = positive[..., ::-1]
    hits = np.cumsum(step, axis=-1)
    chosen = hits + np.cumsum(negative[..., ::-1], axis=-1)
    precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
    total = positive.sum(axis=-1)
    return _quotient((step * precision).sum(axis=-1), total)


def _quotient(above: Numbers, below: Numbers) -> Numbers:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)


def auc(labels: Array, scores: Array) -> float:
    """Compute the AUC of one set of rows; NaN when all rows are of one class."""
    counted = tally(labels, scores)
    return float(area(counted.positive, counted.negative))


@dataclass(frozen=True)
class Curve:
    """A curve to draw.

    Attributes:
        x: False positive rate (ROC) or recall.
        y: True positive rate (ROC) or precision.
        thresholds: The score from which a row counts as positive; always finite: infinity breaks the Kubeflow plot.
    """

    x: list[float]
    y: list[float]
    thresholds: list[float]


def roc_curve(labels: Array, scores: Array, points: int = CURVE_POINTS) -> Curve | None:
    """Compute the ROC curve over all thresholds; None when all rows are of one class."""
    hits, alarms, thresholds = _above(labels, scores)
    if not len(hits) or hits[-1] == 0 or alarms[-1] == 0:
        return None
    x, y = alarms / alarms[-1], hits / hits[-1]
    kept = _thinned(x + y, points - 1)
    # the first point, without any row, gets the highest score as its threshold: infinity cannot be drawn
    return Curve([0.0, *x[kept].tolist()], [0.0, *y[kept].tolist()], [float(thresholds[0]), *thresholds[kept].tolist()])


def precision_recall_curve(labels: Array, scores: Array, points: int = CURVE_POINTS) -> Curve | None:
    """Compute the precision-recall curve over all thresholds; None when there is no positive row."""
    hits, alarms, thresholds = _above(labels, scores)
    if not len(hits) or hits[-1] == 0:
        return None
    x, y = hits / hits[-1], hits / (hits + alarms)
    kept = _thinned(x, points)
    return Curve(x[kept].tolist(), y[kept].tolist(), thresholds[kept].tolist())


def best_f1_threshold(labels: Array, scores: Array) -> float:
    """Return the threshold with the highest F1; 0.5 when there is no positive row."""
    hits, alarms, thresholds = _above(labels, scores)
    if not len(hits) or hits[-1] == 0:
        return 0.5
    return float(thresholds[int(np.argmax(2 * hits / (hits + alarms + hits[-1])))])


def _above(labels: Array, scores: Array) -> tuple[Numbers, Numbers, Numbers]:
    """Count positive and negative rows at or above each distinct score, scores descending."""
    counted = tally(labels, scores)
    return np.cumsum(counted.positive[::-1]), np.cumsum(counted.negative[::-1]), counted.scores[::-1]


def _thinned(progress: Numbers, points: int) -> NDArray[np.intp]:
    """Choose at most `points` indices, evenly along a rising quantity, including the first and the last."""
    if len(progress) <= points:
        return np.arange(len(progress))
    even = np.searchsorted(progress, np.linspace(progress[0], progress[-1], points))
    kept: NDArray[np.intp] = np.unique(np.append(even, len(progress) - 1))[-points:]
    return kept
