"""What models are compared by, those of a search and baselines: a metric on the eval rows, and gains over one another with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.types.metrics.bootstrap import Interval, paired_interval
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import LOG_LOSS, Metric
from components._frameworks.transformed_rows import GROUP_ROWS, TransformedRows

FEW_POSITIVES = 50
"""Eval rows of the rarer class below which a rank metric such as AUC is mostly chance."""


@dataclass(frozen=True)
class Objective:
    """The metric, and the labels of the rows that are judged.

    Attributes:
        task: The project's task.
        metric: What decides.
        reason: Why it is not the project's primary metric; empty: it is.
        labels: Class index or number of each row.
        seed: Seed of the intervals.
    """

    task: Task
    metric: Metric
    reason: str
    labels: NDArray[Any]
    seed: int

    @classmethod
    def of(cls, task: Task, metric: Metric, labels: NDArray[Any], seed: int, *, is_named: bool) -> Objective:
        """Choose the metric: the project's primary one; log loss where it names none and positives are rare.

        Args:
            task: The project's task.
            metric: Its primary metric.
            labels: Class index or number of each eval row, [rows].
            seed: Seed of the intervals.
            is_named: Whether the project names the metric.
        """
        reason = ""
        if not is_named and (rarer := too_few_positives(task, labels)) is not None:
            reason = f"{rarer} eval rows of the rarer class are too few for {metric.name}"
            metric = LOG_LOSS
        return cls(task, metric, reason, labels, seed)

    def measure(self, scores: NDArray[Any]) -> float:
        """Return the metric of scores; infinitely bad where it is not defined."""
        value = self.task.measure(self.labels, scores)[self.metric.name]
        return value if math.isfinite(value) else self.worst

    @property
    def worst(self) -> float:
        """The value that every other is better than."""
        return math.inf if self.metric.lower_is_better else -math.inf

    def key(self, value: float, loss: float) -> tuple[float, float]:
        """Return what sorts models, the best first: their metric, and of equal ones the eval loss."""
        return (value if self.metric.lower_is_better else -value, loss)

    def gain(self, ours: NDArray[Any], theirs: NDArray[Any]) -> tuple[float, Interval]:
        """Return the gain of one model over another on the eval rows, and its 95 % interval: a paired bootstrap."""
        gain = float(self.metric.gain(self.measure(ours), self.measure(theirs)))
        return gain, paired_interval(self.task, self.metric, self.labels, ours, theirs, self.seed)


def too_few_positives(task: Task, labels: NDArray[Any]) -> int | None:
    """Return the rows of the rarer of two classes where they are too few for a rank metric; None where they suffice.

    Args:
        task: The task.
        labels: Class index of each row that models are judged by.
    """
    if not task.takes_positive:
        return None
    rarer = int(np.bincount(labels.astype(np.int64), minlength=2).min())
    return rarer if rarer < FEW_POSITIVES else None


def read_labels(rows: TransformedRows) -> NDArray[Any]:
    """Read the labels of rows, [rows]."""
    return np.concatenate([labels for _, labels in rows.batches(GROUP_ROWS)])
