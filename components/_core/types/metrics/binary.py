"""Metrics of two classes, from sums over rows: the same formulas serve all rows and every bootstrap resample.

A row counts as positive from a probability of 0.5, or from another one with `ThresholdFormulas`. A ratio 0/0 (precision when nothing is called positive, recall when
nothing is positive, and so on) is 0, as in scikit-learn by default; AUC and PR-AUC without both classes are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components._core.types.metrics.ranking import area, average_precision, binned_tally, bins_for, tally
from components._core.types.metrics.row_sums import Array, Numbers, add_up, over_all_rows, ratio

THRESHOLD = 0.5
"""Probability from which a row counts as positive."""
CALIBRATION_BINS = 10
_CLOSEST = float(np.finfo(np.float32).eps)
"""Probabilities are kept this far from 0 and 1 in the log loss: a model answers in float32, and an infinite loss is useless."""


@dataclass(frozen=True)
class ThresholdFormulas:
    """The formulas of this module with another threshold.

    Attributes:
        threshold: Probability from which a row counts as positive.
    """

    threshold: float

    def exact_sums(self, labels: Array, scores: Array) -> dict[str, Numbers]:
        """Return `exact_sums` at the threshold."""
        return exact_sums(labels, scores, self.threshold)

    def block_sums(self, labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
        """Return `block_sums` at the threshold."""
        return block_sums(labels, scores, blocks, count, self.threshold)

    def from_sums(self, sums: dict[str, Numbers]) -> dict[str, Numbers]:
        """Compute all metrics; the sums were made at the threshold."""
        return from_sums(sums)


def exact_sums(labels: Array, scores: Array, threshold: float = THRESHOLD) -> dict[str, Numbers]:
    """Return the sums for `from_sums` over all rows; arguments as in `block_sums`."""
    counted = tally(labels, scores)
    return {
        **over_all_rows(partial(_sums, threshold=threshold), labels, scores),
        "positive": counted.positive,
        "negative": counted.negative,
    }


def block_sums(
    labels: Array, scores: Array, blocks: Array, count: int, threshold: float = THRESHOLD
) -> dict[str, Numbers]:
    """Return the sums for `from_sums` by block of rows; rows are counted by binned score.

    Args:
        labels: 0 or 1, shape [rows].
        scores: Probability of the positive class, shape [rows].
        blocks: The block of each row, below `count`.
        count: Number of blocks.
        threshold: Probability from which a row counts as positive.

    Returns:
        Sums of shape [blocks] by name; `bin_gap` has shape [blocks, CALIBRATION_BINS], `positive` and `negative`
        have shape [blocks, bins].
    """
    sums = _sums(labels, scores, blocks, count, threshold)
    return {**sums, **binned_tally(labels, scores, blocks, count, bins_for(count))}


def call_positive(scores: Array, threshold: float) -> NDArray[np.bool_]:
    """Return which rows count as positive; in float64, since a threshold in float32 may be another number."""
    called: NDArray[np.bool_] = np.asarray(scores, dtype=np.float64) >= threshold
    return called


def _sums(labels: Array, scores: Array, blocks: Array, count: int, threshold: float) -> dict[str, Numbers]:
    truth, score = labels.astype(np.float64), np.asarray(scores, dtype=np.float64)
    called = call_positive(score, threshold).astype(np.float64)
    clipped = np.clip(score, _CLOSEST, 1 - _CLOSEST)
    by_row = {
        "tp": called * truth,
        "fp": called * (1 - truth),
        "fn": (1 - called) * truth,
        "tn": (1 - called) * (1 - truth),
        "surprise": -np.log(np.where(truth == 1, clipped, 1 - clipped)),
        "squared": (score - truth) ** 2,
    }
    added = {name: add_up(values, blocks, count) for name, values in by_row.items()}
    return {**added, "bin_gap": bin_gaps(score, truth - score, blocks, count)}


def bin_gaps(scores: Numbers, gaps: Numbers, blocks: Array, count: int) -> Numbers:
    """Sum a gap over each block and calibration bin of the scores, shape [blocks, CALIBRATION_BINS]."""
    cells = blocks * CALIBRATION_BINS + calibration_bin(scores)
    return add_up(gaps, cells, count * CALIBRATION_BINS).reshape(count, CALIBRATION_BINS)


def calibration_bin(scores: Numbers) -> NDArray[np.int64]:
    """Return the calibration bin of each score, of equal widths between 0 and 1."""
    return np.clip((scores * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)


def from_sums(sums: dict[str, Numbers]) -> dict[str, Numbers]:
    """Compute all metrics from sums with any leading shape.

    Args:
        sums: Output of `exact_sums` or `block_sums`, over any rows; `positive` and `negative` are rows by ascending
            score.

    Returns:
        Metric by name, each of the leading shape.
    """
    tp, fp, fn, tn = (sums[name] for name in ("tp", "fp", "fn", "tn"))
    rows = tp + fp + fn + tn
    return {
        "auc": area(sums["positive"], sums["negative"]),
        "pr_auc": average_precision(sums["positive"], sums["negative"]),
        "accuracy": ratio(tp + tn, rows),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "npv": ratio(tn, tn + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "fpr": ratio(fp, fp + tn),
        "log_loss": ratio(sums["surprise"], rows),
        "brier": ratio(sums["squared"], rows),
        "ece": ratio(np.abs(sums["bin_gap"]).sum(axis=-1), rows),
    }


def confusion(labels: Array, scores: Array, threshold: float = THRESHOLD) -> list[list[int]]:
    """Count rows by actual (down: negative, positive) and predicted class (across) at a threshold."""
    cells = np.bincount(labels.astype(np.int64) * 2 + call_positive(scores, threshold), minlength=4)
    return [[int(count) for count in row] for row in cells.reshape(2, 2)]


def calibration(labels: Array, scores: Array) -> tuple[list[float], list[float], list[int]]:
    """Return mean score, share of positive rows and number of rows of each non-empty calibration bin."""
    bins = calibration_bin(np.asarray(scores, dtype=np.float64))
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    used = rows > 0
    said = np.bincount(bins, weights=scores, minlength=CALIBRATION_BINS)[used] / rows[used]
    seen = np.bincount(bins, weights=labels, minlength=CALIBRATION_BINS)[used] / rows[used]
    return said.tolist(), seen.tolist(), rows[used].tolist()
