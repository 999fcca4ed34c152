"""Metrics of a number, from sums over rows: the same formulas serve all rows and every bootstrap resample.

R2 on a constant target is 1 when every prediction is exact and 0 otherwise, as in scikit-learn.
"""

from __future__ import annotations

import numpy as np

from components._core.types.metrics.row_sums import Array, Numbers, add_up, over_all_rows, ratio


def exact_sums(labels: Array, scores: Array) -> dict[str, Numbers]:
    """Return the sums for `from_sums` over all rows; arguments as in `block_sums`."""
    return over_all_rows(block_sums, labels, scores)


def block_sums(labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
    """Return the sums for `from_sums` by block of rows.

    Args:
        labels: The target, shape [rows], in its own unit.
        scores: The prediction, shape [rows], in the target's unit.
        blocks: The block of each row, below `count`.
        count: Number of blocks.

    Returns:
        Sums of shape [blocks] by name.
    """
    truth = labels.astype(np.float64)
    error = np.asarray(scores, dtype=np.float64) - truth
    # measured from the mean: the sum of squares of a large, nearly constant target would cancel to noise
    centred = truth - truth.mean()
    by_row = {
        "rows": np.ones(len(truth)),
        "absolute": np.abs(error),
        "squared": error**2,
        "target": centred,
        "target_squared": centred**2,
    }
    return {name: add_up(values, blocks, count) for name, values in by_row.items()}


def from_sums(sums: dict[str, Numbers]) -> dict[str, Numbers]:
    """Compute all metrics from sums with any leading shape: `mae`, `rmse` in the target's unit, `mse` in its square, `r2` in none."""
    mse = ratio(sums["squared"], sums["rows"])
    spread = sums["target_squared"] - ratio(sums["target"] ** 2, sums["rows"])
    constant = spread <= 1e-12 * np.maximum(sums["target_squared"], 1e-300)
    exact = np.asarray(sums["squared"]) == 0
    r2 = np.where(constant, np.where(exact, 1.0, 0.0), 1 - ratio(sums["squared"], np.where(constant, 1.0, spread)))
    return {"rmse": np.sqrt(mse), "mae": ratio(sums["absolute"], sums["rows"]), "mse": mse, "r2": r2}
