"""Moments and correlations by batches, against NumPy's and pandas' of all rows at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from components.transform import number_statistics
from components.transform.number_statistics import Batches, correlate, covariance, measure

RANDOM = np.random.default_rng(3)
ROWS = 1_000
BASE = RANDOM.normal(size=ROWS)


def _missing(values: np.ndarray, share: float) -> np.ndarray:
    return np.where(RANDOM.random(ROWS) < share, np.nan, values).astype(np.float32)


TABLE = {
    "far": (1e6 + BASE).astype(np.float32),
    "twin": _missing(-3 * BASE + 0.1 * RANDOM.normal(size=ROWS), 0.3),
    "own": _missing(RANDOM.normal(size=ROWS), 0.5),
    "whole": RANDOM.integers(-5, 5, ROWS),
    "flat": np.full(ROWS, 0.1, np.float32),
    "empty": np.full(ROWS, np.nan, np.float32),
}
NAMES = tuple(TABLE)


def _batches(size: int) -> Batches:
    def read() -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, ROWS, size):
            yield {name: values[start : start + size] for name, values in TABLE.items()}

    return read


@pytest.mark.parametrize("size", [7, 77, ROWS])
def test_moments_do_not_depend_on_the_batches(size: int) -> None:
    found = measure(_batches(size), NAMES)
    frame = pd.DataFrame({name: values.astype(np.float64) for name, values in TABLE.items()})
    assert found.rows == ROWS and found.known.tolist() == frame.count().tolist()
    np.testing.assert_allclose(found.mean[:5], frame.mean()[:5], rtol=1e-9)
    np.testing.assert_allclose(found.variance[:4], frame.var(ddof=0)[:4], rtol=1e-9)
    assert found.variance[4] == 0 == found.variance[5]


@pytest.mark.parametrize(
    "values", [[2**60, 2**60 + 1], [1.0, np.nextafter(np.float32(1.0), np.float32(2.0))], [0.0, 1e-38]]
)
def test_two_different_values_have_a_variance_and_equal_ones_have_none(values: list[float]) -> None:
    kind = np.int64 if isinstance(values[0], int) else np.float32
    for found, is_flat in ((values, False), ([values[0]] * 2, True)):
        moments = measure(lambda found=found: iter([{"x": np.array(found, kind)}]), ("x",))
        assert (moments.variance[0] == 0) == is_flat


@pytest.mark.parametrize("columns", [NAMES, ("far", "whole", "flat")], ids=["some missing", "none missing"])
@pytest.mark.parametrize("size", [77, ROWS])
def test_correlations_are_those_of_the_rows_in_which_both_are_known(
    columns: tuple[str, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_statistics, "_SLICE", 300)
    moments = measure(_batches(size), NAMES).select(columns)
    found, rows = correlate(_batches(size), moments)
    frame = pd.DataFrame({name: TABLE[name].astype(np.float64) for name in columns})
    np.testing.assert_allclose(found, frame.corr().fillna(0.0), atol=1e-9)
    known = frame.notna().to_numpy().astype(int)
    np.testing.assert_array_equal(rows, known.T @ known)


def test_covariance_takes_a_missing_value_as_the_mean() -> None:
    frame = pd.DataFrame({name: values.astype(np.float64) for name, values in TABLE.items()})
    scores = ((frame - frame.mean()) / frame.std(ddof=0).replace(0, np.inf)).fillna(0.0).to_numpy()
    found = covariance(_batches(130), measure(_batches(130), NAMES))
    np.testing.assert_allclose(found[:5, :5], (scores.T @ scores / ROWS)[:5, :5], atol=1e-9)
    assert not found[5].any()
