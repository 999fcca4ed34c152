"""Slices: the model's metric on each value of a column, or on quarters of its range, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.project.project_file import Project
from components._core.types.column_types import is_text
from components._core.types.label_values import as_text
from components._core.types.metrics.bootstrap import Interval, intervals
from components._core.types.metrics.row_sums import Array
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric

MOST_VALUES = 30
"""Maximum number of values of a column, the most frequent ones; a numeric column with more is cut into quarters."""
MUCH_WORSE = 0.05
"""A slice is much worse than the whole if its score is lower by this much, or its error higher by ...."""
MUCH_WORSE_ERROR = 1.25
"""... this factor; and only if the slice's interval excludes the whole's value."""
_BLOCKS = 250
_MISSING = "(missing)"


@dataclass(frozen=True)
class Slice:
    """A slice of the rows.

    Attributes:
        column: The column that defines the slice.
        value: Value or range of the column.
        rows: Number of rows.
        label: Mean of the labels: the share of positives, or the mean target; NaN where scores are by class.
        metric: The primary metric on the rows; NaN if undefined.
        interval: The metric's 95 % interval; None when the slice is too small to be judged.
    """

    column: str
    value: str
    rows: int
    label: float
    metric: float
    interval: Interval | None


def measure_slices(
    project: Project, labels: Array, scores: Array, columns: pa.Table, task: Task | None = None
) -> list[Slice]:
    """Measure the primary metric on each value of the columns in `gates.model.slices`.

    Args:
        project: The project.
        labels: Class index or target, shape [rows].
        scores: Scores as in `Task.measure`.
        columns: The columns to slice by, [rows].
        task: The project's task with the model's threshold; None: with the task's own.
    """
    found, task = [], task or TASKS[project.task]
    for column in project.gates.model.slices:
        names = slice_names(columns[column])
        values, place, rows = np.unique(names, return_inverse=True, return_counts=True)
        shown = sorted(np.argsort(-rows, kind="stable")[:MOST_VALUES], key=lambda index: _natural(str(values[index])))
        for index in shown:
            inside = place == index
            found.append(_measure(project, task, column, str(values[index]), labels[inside], scores[inside]))
    return found


def slice_names(column: pa.ChunkedArray) -> Array:
    """Return the name of each row's slice: the value's text, or the quarter of the range when there are many numbers."""
    encoded = column.combine_chunks().dictionary_encode()
    distinct = as_text(encoded.dictionary).to_pylist()
    if len(distinct) > MOST_VALUES and not is_text(column.type):
        return _quarters(column.cast(pa.float64(), safe=False).to_numpy())
    names = [value or _MISSING for value in distinct] + [_MISSING]
    places = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False).astype(np.int64)
    of_rows: Array = np.take(np.asarray(names), places)
    return of_rows


def judge_slices(project: Project, slices: list[Slice], whole: float) -> list[Check]:
    """Warn of slices that are much worse than the whole; one check for each column, so that a page stays readable."""
    metric, least = project.primary_metric(), project.gates.model.slice_min_rows
    checks = []
    for column in project.gates.model.slices:
        judged = [part for part in slices if part.column == column and part.rows >= least]
        worse = [part for part in judged if part.interval and _much_worse(metric, part.metric, part.interval, whole)]
        checks.append(_check(metric, column, judged, worse, whole, least))
    return checks


def _check(metric: Metric, column: str, judged: list[Slice], worse: list[Slice], whole: float, least: int) -> Check:
    rows = sum(part.rows for part in judged)
    if not judged:
        return Check(f"slice: {column}", "skipped", n=0, reason=f"no value of {column} has {least} test rows")
    worst = min(judged, key=lambda part: _order(metric.gain(part.metric, whole)))
    message = ", ".join(f"{part.value} ({part.metric:.4g})" for part in worse[:5]) + (", ..." if len(worse) > 5 else "")
    reason = (
        f"{metric.name} is much worse than the whole's {whole:.4g} for {column} {message}"
        if worse
        else f"no value of {column} with {least} rows or more is much worse than the whole; lowest: {worst.value}"
    )
    return Check(f"slice: {column}", "warn" if worse else "pass", worst.metric, None, whole, rows, reason)


def _order(gained: float) -> float:
    return math.inf if math.isnan(gained) else gained


def _much_worse(metric: Metric, value: float, interval: Interval, whole: float) -> bool:
    if metric.lower_is_better:
        return value > whole * MUCH_WORSE_ERROR and interval[0] > whole
    return value < whole - MUCH_WORSE and interval[1] < whole


def _measure(project: Project, task: Task, column: str, value: str, labels: Array, scores: Array) -> Slice:
    name, rows = project.primary_metric().name, len(labels)
    measured = task.measure(labels, scores)[name]
    known = not math.isnan(measured) and rows >= project.gates.model.slice_min_rows
    interval = intervals(task, labels, scores, project.train.seed, _BLOCKS)[name] if known else None
    return Slice(column, value, rows, _mean_label(task, labels), measured, interval)


def _mean_label(task: Task, labels: Array) -> float:
    return float("nan") if task.scores_by_class else float(labels.mean())


def _quarters(numbers: Array) -> Array:
    known = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, [0, 0.25, 0.5, 0.75, 1], method="nearest"))
    pairs = list(pairwise(edges))
    names = [f"{low:g} to {'' if high == edges[-1] else 'below '}{high:g}" for low, high in pairs]
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(names) - 1)
    return np.where(np.isnan(numbers), _MISSING, np.asarray(names)[place])


def _natural(value: str) -> tuple[int, float, str]:
    """Sort key: ranges and numbers by their first number, then texts alphabetically."""
    try:
        return (0, float(value.split(" to ")[0]), value)
    except ValueError:
        return (1, 0.0, value)
