"""Compare the scores of an exported model with those of the model that it was converted from, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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

Explain = Callable[[NDArray[np.int64]], NDArray[Any]]
"""Returns, for some rows by their index, by how much their scores may differ beyond `ROW`."""


def check_parity(
    task: Task,
    original: NDArray[Any],
    exported: NDArray[Any],
    converted: str,
    remedy: str,
    explain: Explain | None = None,
) -> None:
    """Refuse an exported model whose scores are not those of the original.

    Args:
        task: The project's task.
        original: Scores of the original: [rows] or [rows, classes], at least one row.
        exported: Scores of the exported model for the same rows.
        converted: What was converted, for the message.
        remedy: What to do about a wrong conversion.
        explain: Called with the rows that differ by more than `ROW`; None: nothing explains it.

    Raises:
        ModelError: When they differ by more than the bounds, or one row by more than is explained.
    """
    spread = 1.0 if task.has_classes else float(original.std()) or 1.0
    differences = differences_by_row(exported, original) / spread
    unit = "" if task.has_classes else " standard deviations of the predictions"
    rows, where = len(original), "the model of build_model"
    median, mean = float(np.median(differences)), float(differences.mean())
    if not (median <= MEDIAN and mean <= MEAN):  # also for NaN
        message = (
            f"the ONNX model does not give the scores of {converted}: they differ by {mean:.3g}{unit} in the mean of {rows} eval rows "
            f"and {median:.3g} in the median; allowed: {MEAN:g} and {MEDIAN:g}"
        )
        raise ModelError(message, where=where, remedy=remedy)
    suspects = np.flatnonzero(differences > ROW)
    if not len(suspects):
        return
    explained = explain(suspects) / spread if explain else 0.0
    wrong = suspects[differences[suspects] > ROW + explained]
    if len(wrong):
        row = int(wrong[np.argmax(differences[wrong])])
        message = (
            f"the ONNX model does not give the scores of {converted}: {len(wrong)} of {rows} eval rows differ by more than {ROW:g}{unit}, "
            f"row {row} by {differences[row]:.3g}, and rounding does not explain it"
        )
        raise ModelError(message, where=where, remedy=remedy)


def differences_by_row(some: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the greatest difference of each row's scores, [rows]."""
    found: NDArray[np.float64] = np.abs(some.astype(np.float64) - others).reshape(len(others), -1).max(axis=1)
    return found
