"""What models are compared by, those of a search and baselines: a metric on the eval rows, or on train rows in folds, and gains with their intervals."""

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
    """The metric, and the labels of the rows that models are judged by.

    Attributes:
        task: The project's task.
        metric: What decides.
        reason: Why it is not the project's primary metric; empty: it is.
        labels: Class index or number of each row.
        seed: Seed of the intervals.
        judged_by: What the rows are, as in `120 eval rows`, or `960 train rows in 5 folds`.
    """

    task: Task
    metric: Metric
    reason: str
    labels: NDArray[Any]
    seed: int
    judged_by: str

    @classmethod
    def of(
        cls,
        task: Task,
        metric: Metric,
        labels: NDArray[Any],
        seed: int,
        *,
        is_named: bool,
        folds: int = 0,
        judged_folds: int = 0,
    ) -> Objective:
        """Choose the metric: the project's primary one; log loss where it names none and positives are rare.

        Args:
            task: The project's task.
            metric: Its primary metric.
            labels: Class index or number of each row that models are judged by, [rows].
            seed: Seed of the intervals.
            is_named: Whether the project names the metric.
            folds: Folds of the train rows that they are in; 0: they are the eval rows.
            judged_folds: How many of the folds judge.
        """
        split, reason = "train" if folds else "eval", ""
        if not is_named and (rarer := too_few_positives(task, labels)) is not None:
            reason = f"{rarer} {split} rows of the rarer class are too few for {metric.name}"
            metric = LOG_LOSS
        rows = f"{len(labels):,} {split} rows"
        some = folds if judged_folds == folds else f"{judged_folds} of {folds}"
        return cls(task, metric, reason, labels, seed, f"{rows} in {some} folds" if folds else rows)

    def measure(self, scores: NDArray[Any], places: NDArray[np.int64] | None = None) -> float:
        """Return the metric of scores; infinitely bad where it is not defined.

        Args:
            scores: Scores of all rows, or of some.
            places: The places of those.
        """
        labels = self.labels if places is None else self.labels[places]
        value = self.task.measure(labels, scores)[self.metric.name]
        return value if math.isfinite(value) else self.worst

    @property
    def worst(self) -> float:
        """The value that every other is better than."""
        return math.inf if self.metric.lower_is_better else -math.inf

    def key(self, value: float, loss: float) -> tuple[float, float]:
        """Return what sorts models, the best first: their metric, and of equal ones the eval loss."""
        return (value if self.metric.lower_is_better else -value, loss)

    def gain(self, ours: NDArray[Any], theirs: NDArray[Any]) -> tuple[float, Interval]:
        """Return the gain of one model over another on the judged rows, and its 95 % interval: a paired bootstrap."""
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
