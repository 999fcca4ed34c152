"""Metrics of many classes, from sums over rows: the same formulas serve all rows and every bootstrap resample.

The class with the highest probability is predicted. `_macro` averages over the classes of the model, each counting the same;
`_weighted` weighs each by its rows. A ratio 0/0 is 0. `auc` is one class against the rest, averaged over the classes that
have rows and of which the rest has rows; NaN when there is none.
"""

from __future__ import annotations

import numpy as np

from components._core.types.metric_names import MULTICLASS
from components._core.types.metrics.binary import add_up, bin_gaps, ratio
from components._core.types.metrics.ranking import Array, Numbers

_CLOSEST = float(np.finfo(np.float32).eps)

NAMES = MULTICLASS


def sums(labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    """What `from_sums` wants, by block of rows, but for the AUC.

    Args:
        labels: Class index, shape [rows].
        scores: Probabilities, shape [rows, classes].
        blocks: The block of each row, below `count`.
        count: How many blocks there are.

    Returns:
        Sums of shape [blocks] by name; `bin_gap` has shape [blocks, CALIBRATION_BINS] and `confusion` [blocks, classes,
        classes].
    """
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


def from_sums(sums: dict[str, Numbers]) -> dict[str, Numbers]:
    """All metrics from sums with any leading shape.

    Args:
        sums: What `sums` gives, over any rows, with `auc_by_class` ([..., classes]).

    Returns:
        Metric by name, each of the leading shape.
    """
    by_class = class_metrics(sums["confusion"])
    share = ratio(by_class["rows"], by_class["rows"].sum(axis=-1, keepdims=True))
    rows = by_class["rows"].sum(axis=-1)
    metrics = {
        "accuracy": ratio(np.trace(sums["confusion"], axis1=-2, axis2=-1), rows),
        "auc": _mean_of_known(sums["auc_by_class"]),
        "log_loss": ratio(sums["surprise"], rows),
        "ece": ratio(np.abs(sums["bin_gap"]).sum(axis=-1), rows),
    }
    for name in ("precision", "recall", "f1"):
        metrics[f"{name}_macro"] = by_class[name].mean(axis=-1)
        metrics[f"{name}_weighted"] = (by_class[name] * share).sum(axis=-1)
    return {name: metrics[name] for name in NAMES}


def class_metrics(confusion: Numbers) -> dict[str, Numbers]:
    """Precision, recall, F1 and rows of each class, from confusion counts of shape [..., classes, classes]."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    called, rows = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return {
        "precision": ratio(right, called),
        "recall": ratio(right, rows),
        "f1": ratio(2 * right, called + rows),
        "rows": rows,
    }


def confusion(labels: Array, scores: Array) -> list[list[int]]:
    """Rows by actual (down) and predicted class (across)."""
    classes = scores.shape[1]
    cells = np.bincount(labels * classes + scores.argmax(axis=1), minlength=classes * classes)
    return [[int(count) for count in row] for row in cells.reshape(classes, classes)]


def _mean_of_known(values: Numbers) -> Numbers:
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
