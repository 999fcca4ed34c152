"""The interval beside a prediction: which errors its ends are, and how many new rows lie in it."""

import numpy as np
import pytest

from components._core.types.prediction_interval import PredictionInterval, fit_interval, least_rows


def test_its_ends_are_the_errors_that_leave_half_of_the_rest_on_each_side() -> None:
    """Of 19 errors in order, with tails of 5 % of 20 places: the first and the last."""
    errors = np.arange(-9.0, 10.0) ** 3
    labels = np.random.default_rng(3).permutation(errors) + 100.0
    found = fit_interval(labels, np.full(19, 100.0), 0.9)
    assert found == PredictionInterval(-729.0, 729.0, 0.9)
    assert fit_interval(labels, np.full(19, 100.0), 0.8) == PredictionInterval(-512.0, 512.0, 0.8)


@pytest.mark.parametrize(("coverage", "rows"), [(0.9, 19), (0.8, 9), (0.95, 39), (0.5, 3), (0.999, 1_999)])
def test_so_many_rows_are_needed_and_suffice(coverage: float, rows: int) -> None:
    assert least_rows(coverage) == rows
    errors = np.random.default_rng(1).normal(size=rows)
    assert fit_interval(errors, np.zeros(rows), coverage) is not None
    assert fit_interval(errors[1:], np.zeros(rows - 1), coverage) is None


@pytest.mark.parametrize("rows", [19, 40, 333])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_new_rows_of_the_same_kind_lie_in_it_with_at_least_the_coverage(rows: int, coverage: float) -> None:
    """Whatever the errors' distribution, here a skew one; by more than the coverage only as far as the rows are few."""
    random = np.random.default_rng([rows, int(100 * coverage)])
    shares = []
    for _ in range(2_000):
        errors = random.exponential(size=rows + 200) ** 1.5
        fitted = fit_interval(errors[:rows], np.zeros(rows), coverage)
        assert fitted is not None
        shares.append(fitted.measure_coverage(errors[rows:], np.zeros(200)))
    assert coverage - 0.01 < np.mean(shares) < coverage + 2 / (rows + 1) + 0.01


def test_ends_have_the_type_of_the_predictions() -> None:
    lower, upper = PredictionInterval(-1.5, 2.0, 0.9).ends(np.array([1.0, -3.0], np.float32))
    assert lower.dtype == upper.dtype == np.float32
    assert lower.tolist() == [-0.5, -4.5] and upper.tolist() == [3.0, -1.0]
