"""Partial dependence: the mean score when one feature is set to a value in every row.

Source: Friedman, "Greedy Function Approximation" (2001). Rows are set to values that they might never have together.
"""

from __future__ import annotations

import numpy as np

from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Arrays, take
from components._frameworks.score_rows import scores_of

ROWS = 500
_GRID = 20
_MOST_NAMES = 12
Dependence = dict[str | float, float]


def partial_dependence(model: Model, arrays: Arrays, feature: str, class_index: int | None) -> Dependence:
    """Mean score by value of a feature: quantiles of a number, the most frequent values of a text.

    Args:
        model: The model.
        arrays: The rows; the first `ROWS` evenly spread ones are used.
        feature: The feature.
        class_index: For many classes, the class whose probability is averaged.
    """
    total = len(arrays[feature])
    rows = take(arrays, np.unique(np.linspace(0, total - 1, min(total, ROWS)).astype(np.int64)))
    grid = _grid(arrays[feature])
    count = len(rows[feature])
    every = {name: np.tile(values, len(grid)) for name, values in rows.items()}
    every[feature] = np.repeat(grid, count)
    scores = scores_of(model, every) if len(grid) else np.zeros((0,))
    score = scores if class_index is None else scores[:, class_index]
    means = score.reshape(len(grid), count).mean(axis=1)
    return {value: float(mean) for value, mean in zip(grid.tolist(), means, strict=True)}


def _grid(values: Array) -> Array:
    if values.dtype == object:
        names, rows = np.unique(values.astype(str), return_counts=True)
        return np.sort(names[np.argsort(-rows, kind="stable")[:_MOST_NAMES]]).astype(object)
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not len(known):
        return known
    grid: Array = np.unique(np.quantile(known, np.linspace(0.01, 0.99, _GRID), method="nearest").astype(values.dtype))
    return grid
