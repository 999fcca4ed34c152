"""The bounds of the comparison: a few rows on the other side of a threshold pass, a wrong conversion does not."""

from __future__ import annotations

import numpy as np
import pytest

from components._core.errors import ModelError
from components._core.types.tasks import TASKS
from components._frameworks.sklearn.parity import check_parity, measure_difference

BINARY, REGRESSION = TASKS["binary_classification"], TASKS["regression"]
SCORES = np.linspace(0.05, 0.95, 50)


def test_the_last_bits_of_float32_and_one_row_at_a_threshold_pass() -> None:
    exported = SCORES.astype(np.float32)
    exported[7] += 1.0
    check_parity(BINARY, SCORES, exported)
    check_parity(REGRESSION, 4_000 * SCORES, (4_000 * SCORES).astype(np.float32))


@pytest.mark.parametrize(
    "wrong", [1 - SCORES, SCORES + 0.03, np.where(np.arange(50) < 5, 1.0, SCORES), SCORES * np.nan]
)
def test_what_is_wrong_in_all_rows_or_in_a_tenth_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ModelError, match="does not give the pipeline's scores"):
        check_parity(BINARY, SCORES, wrong)


def test_predictions_are_compared_by_their_spread() -> None:
    assert measure_difference(REGRESSION, 1_000 * SCORES, 1_000 * SCORES + 1)[0] == pytest.approx(
        1 / (1_000 * SCORES.std())
    )
    assert measure_difference(REGRESSION, np.full(5, 3.0), np.full(5, 3.5))[1] == 0.5
