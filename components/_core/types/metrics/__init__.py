"""Every metric by task: one function from labels and scores to numbers, in plain NumPy.

Each module holds one kind of task. A metric is a formula over sums of rows, so the same code computes it for all rows and
for a thousand bootstrap resamples at once.
"""

from __future__ import annotations

import numpy as np

from components._core.project.project_file import Project
from components._core.types.metric_names import LOWER_IS_BETTER, NAMES, PRIMARY, Task
from components._core.types.metrics import binary, multiclass, ranking, regression
from components._core.types.metrics.ranking import Array, Numbers

__all__ = ["LOWER_IS_BETTER", "NAMES", "PRIMARY"]


def primary_metric(project: Project) -> str:
    """The metric by which two models of a project are compared; the project file was held against the task's."""
    return project.gates.model.metric or PRIMARY[project.task]


def gain(name: str, value: float, other: float) -> float:
    """By how much a value is better than another: positive is better, whichever way the metric points."""
    return other - value if name in LOWER_IS_BETTER else value - other


def measure(task: Task, labels: Array, scores: Array) -> dict[str, float]:
    """All metrics of a task.

    Args:
        task: The project's task.
        labels: Class index or target, shape [rows], at least one row.
        scores: Probability [rows] (binary), probabilities [rows, classes] (multiclass) or prediction [rows].

    Returns:
        Metric by name; NaN where the rows do not define it.
    """
    values = from_sums(task, _all_rows(task, labels, scores))
    return {name: float(value) for name, value in values.items()}


def sums(task: Task, labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    """The sums behind the metrics by block of rows; see the module of the task."""
    match task:
        case "binary_classification":
            return binary.sums(labels, scores, blocks, count)
        case "multiclass_classification":
            return multiclass.sums(labels, scores, blocks, count)
        case _:
            return regression.sums(labels, scores, blocks, count)


def from_sums(task: Task, added: dict[str, Numbers]) -> dict[str, Numbers]:
    """The metrics from sums with any leading shape; see the module of the task."""
    match task:
        case "binary_classification":
            return binary.from_sums(added)
        case "multiclass_classification":
            return multiclass.from_sums(added)
        case _:
            return regression.from_sums(added)


def _all_rows(task: Task, labels: Array, scores: Array) -> dict[str, Numbers]:
    one = np.zeros(len(labels), dtype=np.int64)
    added = {name: values[0] for name, values in sums(task, labels, scores, one, 1).items()}
    if task == "binary_classification":
        counted = ranking.tally(labels, scores)
        return {**added, "positive": counted.positive, "negative": counted.negative}
    if task == "multiclass_classification":
        by_class = [ranking.auc(labels == index, scores[:, index]) for index in range(scores.shape[1])]
        return {**added, "auc_by_class": np.asarray(by_class)}
    return added
