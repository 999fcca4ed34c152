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

from components._core.types.tasks.contract import Task
from components._frameworks.onnx_models import parity

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
    parity.check_parity(
        task, score(rows), exported, estimator, _REMEDY, lambda suspects: _sensitivity(score, rows.iloc[suspects])
    )


def _sensitivity(score: Score, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return by how much the scores may change when the last bits of each row's numbers do, [rows]: summed over the columns."""
    usual, total = score(rows), np.zeros(len(rows))
    for name in rows.columns:
        values = rows[name]
        if values.dtype.kind not in "fi" or (values.dtype.kind == "i" and values.nunique() <= _FEW):
            continue
        changes = [
            parity.differences_by_row(score(rows.assign(**{name: _move(values, factor)})), usual)
            for factor in (1 - _MOVED, 1 + _MOVED)
        ]
        total += np.maximum(*changes)
    return total


def _move(values: pd.Series, factor: float) -> pd.Series:
    kind = values.dtype if values.dtype.kind == "f" else np.float64
    return (values.astype(np.float64) * factor).astype(kind)
