"""Compare the exported model with the pipeline that it was converted from, row by row.

ONNX calculates in float32 where scikit-learn takes float64. A linear model then differs in the seventh digit. A tree goes another way where
a value equals a threshold but for its last bits: such a row may differ by as much as the pipeline's own score does when the row's
numbers move by their last bits. Everything beyond that is a wrong conversion (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.tasks.contract import Task

MEDIAN = 0.02
"""Largest median difference of a row: of a probability, or in standard deviations of the predictions."""
MEAN = 0.05
"""Largest mean difference, in the same unit: a wrong conversion may spoil only some of the rows."""
ROW = 1e-3
"""Largest difference of a single row, in the same unit, that its last bits do not explain."""
ROWS = 10_000
"""Eval rows that are compared, at most."""
_MOVED = 2**-21
"""Share of a number by which it is moved, up and down: four steps of a float32 number."""
_FEW = 255
"""Different whole numbers up to which trees put their thresholds between them, so that no rounding reaches one."""
_REMEDY = "a step was converted wrongly: replace steps of build_model one after another, the less common ones first"

Score = Callable[[pd.DataFrame], NDArray[Any]]


def check_parity(task: Task, score: Score, rows: pd.DataFrame, exported: NDArray[Any], estimator: str) -> None:
    """Refuse an exported model whose scores are not those of the pipeline.

    Args:
        task: The project's task.
        score: Scores rows with the pipeline, as [rows] or [rows, classes].
        rows: The rows.
        exported: Scores of the exported model for them.
        estimator: What was converted, for the message.

    Raises:
        ModelError: When they differ by more than the bounds, or one row by more than its last bits explain.
    """
    pipeline = score(rows)
    spread = 1.0 if task.has_classes else float(pipeline.std()) or 1.0
    differences = _by_row(exported, pipeline) / spread
    unit = "" if task.has_classes else " standard deviations of the predictions"
    median, mean = float(np.median(differences)), float(differences.mean())
    if not (median <= MEDIAN and mean <= MEAN):  # also for NaN
        message = (
            f"the ONNX model does not give the scores of {estimator}: they differ by {mean:.3g}{unit} in the mean of {len(rows)} eval rows "
            f"and {median:.3g} in the median; allowed: {MEAN:g} and {MEDIAN:g}"
        )
        raise ModelError(message, where="the model of build_model", remedy=_REMEDY)
    suspects = np.flatnonzero(differences > ROW)
    if not len(suspects):
        return
    explained = _sensitivity(score, rows.iloc[suspects]) / spread
    wrong = suspects[differences[suspects] > ROW + explained]
    if len(wrong):
        row = int(wrong[np.argmax(differences[wrong])])
        message = (
            f"the ONNX model does not give the scores of {estimator}: {len(wrong)} of {len(rows)} eval rows differ by more than {ROW:g}{unit}, "
            f"row {row} by {differences[row]:.3g}, and rounding does not explain it"
        )
        raise ModelError(message, where="the model of build_model", remedy=_REMEDY)


def _by_row(some: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the greatest difference of each row's scores, [rows]."""
    found: NDArray[np.float64] = np.abs(some.astype(np.float64) - others).reshape(len(others), -1).max(axis=1)
    return found


def _sensitivity(score: Score, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return by how much the scores may change when the last bits of each row's numbers do, [rows]: summed over the columns."""
    usual, total = score(rows), np.zeros(len(rows))
    for name in rows.columns:
        values = rows[name]
        if values.dtype.kind not in "fi" or (values.dtype.kind == "i" and values.nunique() <= _FEW):
            continue
        changes = [
            _by_row(score(rows.assign(**{name: _move(values, factor)})), usual) for factor in (1 - _MOVED, 1 + _MOVED)
        ]
        total += np.maximum(*changes)
    return total


def _move(values: pd.Series, factor: float) -> pd.Series:
    kind = values.dtype if values.dtype.kind == "f" else np.float64
    return (values.astype(np.float64) * factor).astype(kind)
