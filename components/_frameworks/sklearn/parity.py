"""Compare the exported model with the pipeline that it was converted from.

ONNX calculates in float32 where scikit-learn takes float64. A linear model then differs in the seventh digit; a tree goes another way where
a value equals a threshold but for its last bits, which happens in data of few decimals. The bounds are far above what was measured of
such differences and far below what a wrong conversion does (docs/decisions/0009).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.tasks.contract import Task

MEDIAN = 0.02
"""Largest median difference of a row: of a probability, or in standard deviations of the predictions."""
MEAN = 0.05
"""Largest mean difference, in the same unit: a wrong conversion may spoil only some of the rows."""
ROWS = 10_000
"""Eval rows that are compared, at most."""


def check_parity(task: Task, pipeline: NDArray[Any], exported: NDArray[Any]) -> None:
    """Refuse an exported model whose scores are not those of the pipeline.

    Args:
        task: The project's task.
        pipeline: Scores of the pipeline, [rows] or [rows, classes].
        exported: Scores of the exported model for the same rows.

    Raises:
        ModelError: When they differ by more than the bounds.
    """
    median, mean = measure_difference(task, pipeline, exported)
    if median <= MEDIAN and mean <= MEAN:  # false for NaN
        return
    unit = "" if task.has_classes else " standard deviations"
    message = (
        f"the ONNX model does not give the pipeline's scores: they differ by {mean:.3g}{unit} in the mean of {len(pipeline)} eval rows and "
        f"{median:.3g} in the median; allowed: {MEAN:g} and {MEDIAN:g}"
    )
    remedy = "a step was converted wrongly: replace steps of build_model one after another, the less common ones first"
    raise ModelError(message, where="the model of build_model", remedy=remedy)


def measure_difference(task: Task, pipeline: NDArray[Any], exported: NDArray[Any]) -> tuple[float, float]:
    """Return median and mean of the rows' differences: of a row's scores the greatest, for a task without classes by the spread of the scores."""
    rows = np.abs(exported.astype(np.float64) - pipeline).reshape(len(pipeline), -1).max(axis=1)
    spread = 1.0 if task.has_classes else float(pipeline.std()) or 1.0
    return float(np.median(rows)) / spread, float(rows.mean()) / spread
