"""The bounds of the comparison: what the last bits of a row's numbers explain passes, a wrong conversion of a single row does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.tasks import TASKS
from components._frameworks.sklearn.parity import check_parity

BINARY, REGRESSION = TASKS["binary_classification"], TASKS["regression"]
ROWS = pd.DataFrame({"x": np.linspace(0.05, 0.95, 50).astype(np.float32), "n": np.arange(50)})


def itself(rows: pd.DataFrame) -> NDArray[np.float64]:
    return rows["x"].to_numpy(np.float64)


def step(rows: pd.DataFrame) -> NDArray[np.float64]:
    """A tree whose threshold is a value that occurs."""
    return np.where(rows["x"] <= ROWS["x"][7], 0.2, 0.8)


def test_the_last_bits_of_float32_pass() -> None:
    check_parity(BINARY, itself, ROWS, itself(ROWS).astype(np.float32), "Ridge")
    large = lambda rows: 4_000 * itself(rows)  # noqa: E731
    check_parity(REGRESSION, large, ROWS, large(ROWS).astype(np.float32), "Ridge")


def test_a_row_at_a_threshold_may_be_on_its_other_side_and_no_other_row() -> None:
    for row, passes in ((7, True), (8, False)):
        exported = step(ROWS)
        exported[row] = 1.0 - exported[row]
        if passes:
            check_parity(BINARY, step, ROWS, exported, "DecisionTreeClassifier")
            continue
        with pytest.raises(ModelError, match=r"scores of DecisionTreeClassifier: 1 of 50 eval rows .*row 8 by 0\.6"):
            check_parity(BINARY, step, ROWS, exported, "DecisionTreeClassifier")


@pytest.mark.parametrize(
    "wrong",
    [
        1 - itself(ROWS),
        itself(ROWS) + 0.03,
        itself(ROWS) + np.where(np.arange(50) == 3, 0.002, 0.0),
        np.where(np.arange(50) < 5, 1.0, itself(ROWS)),
        itself(ROWS) * np.nan,
    ],
)
def test_what_is_wrong_in_all_rows_or_in_one_is_refused(wrong: NDArray[np.float64]) -> None:
    with pytest.raises(ModelError, match="does not give the scores of Ridge"):
        check_parity(BINARY, itself, ROWS, wrong, "Ridge")


def test_predictions_are_compared_by_their_spread() -> None:
    large = lambda rows: 1_000 * itself(rows)  # noqa: E731
    near = 5e-4 * float(large(ROWS).std())
    check_parity(REGRESSION, large, ROWS, large(ROWS) + near, "Ridge")
    with pytest.raises(ModelError, match="standard deviations of the predictions"):
        check_parity(REGRESSION, large, ROWS, large(ROWS) + 4 * near, "Ridge")
