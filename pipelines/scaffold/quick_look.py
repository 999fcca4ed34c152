"""Which kind of model suits a table: a linear model and boosted trees, cross-validated on sampled rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.errors import NaruError
from components._core.project.train_config import Train
from components._core.report.number_format import show
from components._core.types.label_values import as_text
from components._core.types.metrics.bootstrap import paired_interval
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import LOG_LOSS
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import KindInput, find_kind
from components._frameworks.objective import too_few_positives
from components._frameworks.table import find_framework
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter
from pipelines.scaffold.choices import Kind
from pipelines.scaffold.decisions import Decision
from pipelines.scaffold.label_choice import Target

_FOLDS = 3
_MOST_ROWS = 6_000
_FEWEST_ROWS = 60
"""Rows below which a fold has too few to tell."""
_SEED = 7
_ROLES = ("number", "category", "hashed")


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        kind: `linear` or `boosted`.
        reason: Why, in a sentence.
    """

    kind: Kind
    reason: str


def look_at_kinds(sample: pa.Table, label: str, target: Target, decisions: Sequence[Decision]) -> Look:
    """Choose between a linear model and boosted trees: boosted trees have to be better by more than chance.

    Args:
        sample: Sampled rows with a label.
        label: The label's column.
        target: The task.
        decisions: The decision on each column; numbers and categories are looked at.
    """
    task = target.task
    columns = [decision.column.name for decision in decisions if decision.role in _ROLES]
    places = np.random.default_rng(_SEED).permutation(
        sample.num_rows
    )  # the sample is in the order of the table, which may be sorted
    rows = sample.take(np.sort(places[:_MOST_ROWS]))
    if rows.num_rows < _FEWEST_ROWS or not columns:
        return Look(
            "linear", "too few rows to compare kinds of model" if columns else "no column of numbers or categories"
        )
    positive = None if target.positive is None else str(target.positive)
    classes = task.order_classes(set(as_text(rows[label]).to_pylist()), positive) if task.has_classes else []
    labels = task.training_labels(rows[label], classes)
    arrays = {name: _values(rows[name]) for name in columns}
    try:
        scores = {kind: _cross_validate(kind, arrays, labels, task, classes) for kind in ("linear", "boosted")}
    except NaruError as error:
        return Look("boosted", f"the kinds could not be compared: {error.message}")
    return _decide(task, labels, scores, rows.num_rows)


def _decide(task: Task, labels: NDArray[Any], scores: dict[str, NDArray[Any]], rows: int) -> Look:
    metric = task.metric() if too_few_positives(task, labels) is None else LOG_LOSS
    found = {kind: task.measure(labels, each)[metric.name] for kind, each in scores.items()}
    gain = metric.gain(found["boosted"], found["linear"])
    low, high = paired_interval(task, metric, labels, scores["boosted"], scores["linear"], _SEED)
    measured = ", ".join(f"{kind} {show(float(f'{value:.3g}'))}" for kind, value in found.items())
    seen = f"{metric.name} in {_FOLDS} folds of {rows:,} rows: {measured}"
    if low > 0:
        return Look("boosted", f"boosted trees are better by {gain:.2g} ({low:.2g} to {high:.2g}); {seen}")
    why = "is no worse" if gain <= 0 else "is simpler, and what boosted trees gain may be chance"
    return Look("linear", f"a linear model {why}; {seen}")


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return np.asarray(pc.cast(column, pa.float32(), safe=False).to_numpy(), np.float32)
    return np.array(pc.fill_null(as_text(column), "").to_pylist(), dtype=object)


def _cross_validate(
    kind: str, arrays: dict[str, NDArray[Any]], labels: NDArray[Any], task: Task, classes: list[str]
) -> NDArray[Any]:
    """Score each row by a model that has not seen it, [rows] or [rows, classes]."""
    folds = np.random.default_rng(_SEED).permutation(len(labels)) % _FOLDS
    scores: NDArray[Any] = np.zeros(task.score_shape(len(labels), classes))
    chosen = find_kind(kind)
    framework = find_framework(chosen.framework)
    framework.make_repeatable()
    with tempfile.TemporaryDirectory(prefix="naru-new-") as scratch:
        for fold in range(_FOLDS):
            train, others = (
                _write(Path(scratch) / f"{fold}-{name}.parquet", arrays, labels, rows)
                for name, rows in (("train", folds != fold), ("others", folds == fold))
            )
            data = TrainingData(train, others, Path(scratch))
            given = KindInput(task, prepared=False, rows=train.rows)
            values = chosen.portfolio(given)[0]
            model = framework.build(chosen.code(given), data, values, task=task, classes=classes, seed=_SEED)
            model.fit(data, Train())
            scores[folds == fold] = model.score(others)
    return scores


def _write(file: Path, arrays: dict[str, NDArray[Any]], labels: NDArray[Any], rows: NDArray[Any]) -> TransformedRows:
    with TransformedWriter(file) as writer:
        writer.write({name: values[rows] for name, values in arrays.items()}, labels[rows])
    return TransformedRows(file)
