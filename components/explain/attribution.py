"""What an attribution explains: one number per row, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components._core.types.tasks import TASKS
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Arrays
from components._frameworks.score_rows import scores_of


@dataclass(frozen=True)
class Attribution:
    """How much each feature moved each row's score away from that of the typical row.

    Attributes:
        values: By feature, in the score's unit, shape [rows].
        moved: The whole way from the baseline's score to the row's, shape [rows].
    """

    values: dict[str, Array]
    moved: Array

    def typical(self) -> dict[str, float]:
        """Mean absolute contribution by feature."""
        return {feature: float(np.abs(values).mean()) for feature, values in self.values.items()}

    def completeness_error(self) -> float:
        """How far contributions are from adding up to the way, as a share of the way (mean absolute values)."""
        total = sum(self.values.values(), np.zeros(len(self.moved)))
        way = float(np.abs(self.moved).mean())
        return float(np.abs(total - self.moved).mean()) / way if way > 0 else 0.0


def chosen_classes(model: Model, arrays: Arrays) -> Array | None:
    """Where scores are by class, the class predicted for each row: its probability is what is explained. None otherwise."""
    if not TASKS[model.signature.task].scores_by_class:
        return None
    found: Array = scores_of(model, arrays).argmax(axis=1)
    return found


def explained_score(model: Model, arrays: Arrays, classes: Array | None) -> Array:
    """The number that is explained: the probability (of the class given, for many), or the prediction; float64 [rows]."""
    scores = scores_of(model, arrays).astype(np.float64)
    return scores if classes is None else scores[np.arange(len(scores)), classes]


def repeated(arrays: dict[str, Any], times: int) -> Arrays:
    """Every row so many times, one after the other."""
    return {name: np.repeat(values, times, axis=0) for name, values in arrays.items()}


def scores_along(model: Model, own: Arrays, others: Arrays, order: Array) -> Array:
    """Score each row on its way from another row to itself, one feature after the other, [rows * (features + 1)] scores.

    Args:
        model: The model.
        own: The rows.
        others: As many other rows, at which the ways begin.
        order: Index of a feature in `own` by row and step, shape [rows, features].
    """
    width = order.shape[1]
    turn = np.argsort(order, axis=1)
    taken = turn[:, None, :] < np.arange(width + 1)[None, :, None]
    mixed, before = repeated(own, width + 1), repeated(others, width + 1)
    for place, name in enumerate(own):
        mixed[name] = np.where(taken[:, :, place].ravel(), mixed[name], before[name])
    return scores_of(model, mixed)
