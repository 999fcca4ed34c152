"""The explanation of one row: Shapley values, a second method that works in another way, and how far both agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from components._core.types.tasks import TASKS
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Arrays
from components._frameworks.score_rows import scores_of
from components.explain.gradients import integrated_gradients
from components.explain.rank_agreement import RankAgreement, compare_parts
from components.explain.row_shapley import RowShapley, attribute_row, worth_without

Unit = Literal["score", "raw score"]


@dataclass(frozen=True)
class SecondMethod:
    """Parts of the features by another method.

    Attributes:
        name: The method.
        unit: `score`, as the Shapley values, or `raw score`: before the function that makes a probability of it.
        values: By feature; one without a value by this method is not in it.
        difference: What the values should add up to: the way from the background to the row, in the unit.
        adds_up: Whether a sound method's values add up to it; a feature replaced alone says nothing of the others.
    """

    name: str
    unit: Unit
    values: dict[str, float]
    difference: float
    adds_up: bool


@dataclass(frozen=True)
class RowExplanation:
    """One row, explained.

    Attributes:
        class_index: For a score by class, the class that is explained; None otherwise.
        shapley: Shapley values against the background.
        second: The second method.
        agreement: How far both agree.
    """

    class_index: int | None
    shapley: RowShapley
    second: SecondMethod
    agreement: RankAgreement


def explain_one(model: Model, row: Arrays, background: Arrays, seed: int) -> RowExplanation:
    """Explain the score of one row.

    The second method is the best that the model allows: integrated gradients, averaged over the background rows (Erion et al., 2021,
    "expected gradients"); what its trees or coefficients say; otherwise the effect of each feature replaced alone.

    Args:
        model: The model.
        row: The row, [1] by feature.
        background: Training rows, [rows] by feature.
        seed: Equal seeds give equal explanations.

    Raises:
        ModelError: When the model fails on the row or on mixtures of it with the background.
    """
    class_index = _explained_class(model, row)
    shapley = attribute_row(model, row, background, class_index, seed)
    second = _by_gradients(model, row, background, class_index)
    second = second or _by_structure(model, row, background, class_index, shapley.score)
    if second is None:
        alone = worth_without(model, row, background, class_index)
        second = SecondMethod("replaced alone", "score", alone, shapley.score - shapley.base, adds_up=False)
    agreement = compare_parts(shapley.values, second.values)
    return RowExplanation(class_index, shapley, second, agreement)


def _explained_class(model: Model, row: Arrays) -> int | None:
    if not TASKS[model.signature.task].scores_by_class:
        return None
    return int(scores_of(model, row).argmax(axis=1)[0])


def _by_gradients(model: Model, row: Arrays, background: Arrays, class_index: int | None) -> SecondMethod | None:
    rows = len(next(iter(background.values())))
    repeated = {name: np.repeat(value, rows, axis=0) for name, value in row.items()}
    classes = None if class_index is None else np.full(rows, class_index)
    found = integrated_gradients(model, repeated, background, classes)
    if found is None or not found.values:
        return None
    values = {name: float(parts.mean()) for name, parts in found.values.items()}
    return SecondMethod("integrated gradients", "score", values, float(found.moved.mean()), adds_up=True)


def _by_structure(
    model: Model, row: Arrays, background: Arrays, class_index: int | None, score: float
) -> SecondMethod | None:
    found = model.attribute_by_structure(row, background, class_index)
    if found is None:
        return None
    unit: Unit = "score" if math.isclose(found.score, score, rel_tol=1e-4, abs_tol=1e-4) else "raw score"
    return SecondMethod(found.method, unit, found.values, found.score - found.base, adds_up=True)
