"""The metrics that are means over rows: only such a metric has a value for each row, by which two versions can be tested on some rows.

AUC, F1 or RMSE are of all rows together; RMSE has its square (MSE) here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components._core.types.metrics.row_sums import Array
    from components._core.types.tasks.contract import Task


def _hits(task: Task, labels: Array, scores: Array) -> Array:
    predicted = task.predicted_classes(scores)
    hits: Array = (labels == predicted).astype("float64")
    return hits


def _losses(task: Task, labels: Array, scores: Array) -> Array:
    return task.row_losses(labels, scores)


def _squared_distances(_: Task, labels: Array, scores: Array) -> Array:
    distances: Array = (scores.astype("float64") - labels) ** 2
    return distances


def _distances(_: Task, labels: Array, scores: Array) -> Array:
    distances: Array = abs(scores.astype("float64") - labels)
    return distances


_ROW_METRICS: dict[str, Callable[[Task, Array, Array], Array]] = {
    "accuracy": _hits,
    "log_loss": _losses,
    "brier": _squared_distances,
    "mae": _distances,
    "mse": _losses,
}


def list_row_metrics(task: Task) -> list[str]:
    """List the metrics of a task that are means over rows, by name; the first is the usual one."""
    return [metric.name for metric in task.metrics if metric.name in _ROW_METRICS]


def row_values(task: Task, metric: str, labels: Array, scores: Array) -> Array:
    """Return the value of each row, whose mean is the metric, float64 [rows].

    Args:
        task: The task, with the version's threshold.
        metric: A name of `list_row_metrics`.
        labels: Class index or target, shape [rows].
        scores: Scores, shape [rows] or [rows, classes].
    """
    return _ROW_METRICS[metric](task, labels, scores)


def find_spread(metric: str, measured: Mapping[str, float]) -> float | None:
    """Return the standard deviation of a metric over rows, as far as metrics of a version say it; None where they do not.

    A hit is 0 or 1, so its variance is p (1 - p); that of absolute errors is the mean square less the square of the mean, MSE - MAE².

    Args:
        metric: A name of `list_row_metrics`.
        measured: Metrics of the version by name.
    """
    if metric == "accuracy" and "accuracy" in measured:
        share = measured["accuracy"]
        return math.sqrt(share * (1 - share)) if 0 < share < 1 else None
    if metric == "mae" and {"mae", "mse"} <= measured.keys():
        variance = measured["mse"] - measured["mae"] ** 2
        return math.sqrt(variance) if variance > 0 else None
    return None
