"""How far the answers of a variant are from the model's: on every eval row, by every output, and for a row alone or among others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ModelError, NaruError
from components._core.project.project_file import Project
from components._core.types.tasks.contract import Task
from components._core.types.variant_table import ORIGINAL
from components._frameworks.contract import Arrays, Model
from components._frameworks.score_rows import Scored, score_split

_ALONE = 100
"""Rows that are asked for alone, too."""
_SMALLEST = 1e-6
"""Numbers below it count as this one where a difference is a share of them."""


@dataclass(frozen=True)
class Parity:
    """The answers of a variant beside the model's.

    Attributes:
        rows: Rows that were compared.
        metric: The variant's primary metric on them.
        difference: Largest difference of a score: of a probability, or in standard deviations of the model's predictions.
        by_output: Largest difference of each output that has numbers, in its own unit.
        relative: Largest difference of any number, as a share of the model's.
        changed_classes: Share of the rows whose predicted class is another; None for a task without classes.
        changed_texts: Share of the rows in which an output that is a text is another.
    """

    rows: int
    metric: float
    difference: float
    by_output: dict[str, float]
    relative: float
    changed_classes: float | None
    changed_texts: float


class _Asked(Model):
    """The model, whose answers to the latest rows are kept for its variants.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self.signature, self._model = model.signature, model
        self.latest: Arrays = {}

    def predict(self, arrays: Arrays) -> Arrays:
        self.latest = self._model.predict(arrays)
        return self.latest


class _Compared(Model):
    """A variant that answers, and compares each answer with the model's.

    Args:
        asked: The model, which has answered the same rows just before.
        variant: The variant.
    """

    def __init__(self, asked: _Asked, variant: Model) -> None:
        self.signature = variant.signature
        self._asked, self._variant = asked, variant
        self.by_output: dict[str, float] = {}
        self.relative = 0.0
        self.rows, self.changed_texts = 0, 0
        self.failure: NaruError | None = None

    def predict(self, arrays: Arrays) -> Arrays:
        """Answer; from its first failure on with the model's answers, as the other variants are still to be compared."""
        expected = self._asked.latest
        if self.failure is None:
            try:
                return self._answer(arrays, expected)
            except NaruError as error:
                self.failure = error
        return expected

    def _answer(self, arrays: Arrays, expected: Arrays) -> Arrays:
        found = self._variant.predict(arrays)
        rows = len(next(iter(arrays.values())))
        self.rows += rows
        changed = np.zeros(rows, bool)
        for name, values in expected.items():
            _check_shape(name, values, found)
            if values.dtype == object:
                changed |= values != found[name]
            elif values.size:
                self._compare(name, values.astype(np.float64), found[name].astype(np.float64))
        self.changed_texts += int(changed.sum())
        return found

    def _compare(self, name: str, expected: NDArray[np.float64], found: NDArray[np.float64]) -> None:
        apart = np.abs(expected - found)
        apart[np.isnan(expected) & np.isnan(found)] = 0.0
        apart = np.nan_to_num(apart, nan=np.inf)  # one of both is not a number
        self.by_output[name] = max(self.by_output.get(name, 0.0), float(apart.max()))
        shares = apart / np.maximum(np.nan_to_num(np.abs(expected)), _SMALLEST)
        self.relative = max(self.relative, float(shares.max()))


def _check_shape(name: str, expected: NDArray[Any], found: Arrays) -> None:
    """Refuse an answer that NumPy would compare with the model's by repeating it."""
    if name not in found:
        raise ModelError("is missing", where=f"output {name}")
    if found[name].shape != expected.shape:
        message = f"has shape {list(found[name].shape)}, the model's has {list(expected.shape)}"
        raise ModelError(message, where=f"output {name}")


def measure_spread(task: Task, scores: NDArray[Any]) -> float:
    """Return the unit in which scores differ: 1 of probabilities, the standard deviation of predictions."""
    return 1.0 if task.has_classes else float(scores.std()) or 1.0


def measure_parity(
    project: Project, task: Task, original: Model, variants: Mapping[str, Model], examples: Path
) -> tuple[Scored, dict[str, Parity | NaruError]]:
    """Compare variants with their model on every eval row that has a label; the model is asked once for all of them.

    Args:
        project: The project.
        task: Its task, with the model's threshold.
        original: The model.
        variants: The variants by name.
        examples: The examples artifact.

    Returns:
        The rows with the model's scores under `ORIGINAL` and those of the variants under their names, and for each variant how far it is, or why it fails on
        the rows or answers in another shape.

    Raises:
        ModelError: When the model itself fails on the rows.
        DataError: When no eval row has a label.
    """
    asked = _Asked(original)
    compared = {name: _Compared(asked, variant) for name, variant in variants.items()}
    scored = score_split({ORIGINAL: asked, **compared}, original.signature, examples, "eval", project.label, [])
    return scored, {
        name: each.failure or _parity_of(project, task, each, scored, scored.scores[name])
        for name, each in compared.items()
    }


def _parity_of(project: Project, task: Task, compared: _Compared, scored: Scored, scores: NDArray[Any]) -> Parity:
    expected = scored.scores[ORIGINAL]
    ours, theirs = task.predicted_classes(expected), task.predicted_classes(scores)
    is_finite = bool(np.isfinite(scores).all())
    return Parity(
        compared.rows,
        task.measure(scored.labels, scores)[project.primary_metric().name] if is_finite else float("nan"),
        compared.by_output.get(task.score, 0.0) / measure_spread(task, expected),
        compared.by_output,
        compared.relative,
        None if ours is None or theirs is None else float(np.mean(ours != theirs)),
        compared.changed_texts / max(compared.rows, 1),
    )


def differs_alone(model: Model, rows: Arrays) -> float:
    """Return by how much a row's answer depends on the other rows of a call: the largest difference, relative above 1.

    Args:
        model: The model or variant.
        rows: Rows as `predict` takes them.
    """
    together = model.predict(rows)
    count = min(_ALONE, len(next(iter(rows.values()))))
    worst = 0.0
    for row in range(count):
        alone = model.predict({name: values[row : row + 1] for name, values in rows.items()})
        for name, values in together.items():
            if values.dtype != object:
                expected, found = values[row].astype(np.float64), alone[name][0].astype(np.float64)
                apart = np.abs(expected - found) / np.maximum(1.0, np.abs(expected))
                same = (expected == found) | (np.isnan(expected) & np.isnan(found))
                worst = max(worst, float(np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf)).max()))
    return worst
