"""Metrics of many classes, from sums over rows: the same formulas serve all rows and every bootstrap resample.

The class with the highest probability is predicted. `_macro` averages over the classes of the model, each counting the
same; `_weighted` weights each by its rows. A ratio 0/0 is 0. `auc` is one class against the rest, averaged over the
classes that have rows and of which the rest has rows; NaN when there is none.
"""

from __future__ import annotations

import numpy as np

from components._core.types.metrics.binary import bin_gaps
from components._core.types.metrics.ranking import FEWEST_BINS, MOST_BINS, area, auc, binned_tally
from components._core.types.metrics.row_sums import Array, Numbers, add_up, over_all_rows, ratio

_CLOSEST = float(np.finfo(np.float32).eps)
_MOST_CELLS = 8_000_000
"""Maximum number of cells for the rows by binned score: with very many classes there are fewer bins."""


def exact_sums(labels: Array, scores: Array) -> dict[str, Numbers]:
    """Return the sums for `from_sums` over all rows; arguments as in `block_sums`."""
    by_class = [auc(labels == index, scores[:, index]) for index in range(scores.shape[1])]
    return {**over_all_rows(_sums, labels, scores), "auc_by_class": np.asarray(by_class)}


def block_sums(labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    """Return the sums for `from_sums` by block of rows; rows are counted by binned score.

    Args:
        labels: Class index, shape [rows].
        scores: Probabilities, shape [rows, classes].
        blocks: The block of each row, below `count`.
        count: Number of blocks.

    Returns:
        Sums of shape [blocks] by name; `bin_gap` has shape [blocks, CALIBRATION_BINS], `confusion` [blocks, classes,
        classes], and for each class `positive_<index>` and `negative_<index>` [blocks, bins].
    """
    return {**_sums(labels, scores, blocks, count), **_tally_by_class(labels, scores, blocks, count)}


def _sums(labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    classes, called = scores.shape[1], scores.argmax(axis=1)
    own = np.clip(scores[np.arange(len(labels)), labels].astype(np.float64), _CLOSEST, 1.0)
    sure = scores.max(axis=1).astype(np.float64)
    cells = (blocks * classes + labels) * classes + called
    counted = np.bincount(cells, minlength=count * classes * classes).astype(np.float64)
    return {
        "surprise": add_up(-np.log(own), blocks, count),
        "bin_gap": bin_gaps(sure, (called == labels) - sure, blocks, count),
        "confusion": counted.reshape(count, classes, classes),
    }


def _tally_by_class(labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    classes = scores.shape[1]
    bins = max(FEWEST_BINS, min(MOST_BINS, _MOST_CELLS // (count * classes * 2)))
    counted = {}
    for index in range(classes):
        found = binned_tally((labels == index).astype(np.int64), scores[:, index], blocks, count, bins)
        counted.update({f"{name}_{index}": values for name, values in found.items()})
    return counted


def from_sums(sums: dict[str, Numbers]) -> dict[str, Numbers]:
    """Compute all metrics from sums with any leading shape.

    Args:
        sums: Output of `exact_sums` or `block_sums`, over any rows.

    Returns:
        Metric by name, each of the leading shape.
    """
    by_class = class_metrics(sums["confusion"])
    share = ratio(by_class["rows"], by_class["rows"].sum(axis=-1, keepdims=True))
    rows = by_class["rows"].sum(axis=-1)
    metrics = {
        "accuracy": ratio(np.trace(sums["confusion"], axis1=-2, axis2=-1), rows),
        "auc": _mean_of_known(_auc_by_class(sums)),
        "log_loss": ratio(sums["surprise"], rows),
        "ece": ratio(np.abs(sums["bin_gap"]).sum(axis=-1), rows),
    }
    for name in ("precision", "recall", "f1"):
        metrics[f"{name}_macro"] = by_class[name].mean(axis=-1)
        metrics[f"{name}_weighted"] = (by_class[name] * share).sum(axis=-1)
    return metrics


def _auc_by_class(sums: dict[str, Numbers]) -> Numbers:
    """Compute the AUC of each class against the rest, shape [..., classes]; exact if the sums have it."""
    if "auc_by_class" in sums:
        return sums["auc_by_class"]
    classes = sums["confusion"].shape[-1]
    return np.stack([area(sums[f"positive_{index}"], sums[f"negative_{index}"]) for index in range(classes)], axis=-1)


def class_metrics(confusion: Numbers) -> dict[str, Numbers]:
    """Compute precision, recall, F1 and rows of each class, from confusion counts of shape [..., classes, classes]."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    called, rows = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return {
        "precision": ratio(right, called),
        "recall": ratio(right, rows),
        "f1": ratio(2 * right, called + rows),
        "rows": rows,
    }


def confusion(labels: Array, scores: Array) -> list[list[int]]:
    """Count rows by actual (down) and predicted class (across)."""
    classes = scores.shape[1]
    cells = np.bincount(labels * classes + scores.argmax(axis=1), minlength=classes * classes)
    return [[int(count) for count in row] for row in cells.reshape(classes, classes)]


def _mean_of_known(values: Numbers) -> Numbers:
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
