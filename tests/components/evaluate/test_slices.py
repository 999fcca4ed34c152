"""Assignment of rows to slices, and warnings about slices."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from components.evaluate.slices import (
    MOST_VALUES,
    judge_slices,
    measure_slices,
    slice_names,
)
from tests.components.tiny_models import tiny_project


def _column(values: list[object], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def _rows(bad: int) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """A thousand rows ranked rightly but for `bad` ones of airport Z, which are ranked the wrong way round."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 1_000)
    scores = np.clip(0.3 + 0.4 * labels + random.normal(0, 0.05, 1_000), 0, 1)
    scores[:bad] = 1 - scores[:bad]
    names = ["Z"] * bad + ["A"] * (1_000 - bad)
    return labels, scores, pa.table({"airport": names})


def test_missing_and_empty_values_are_a_slice_of_their_own() -> None:
    assert slice_names(_column(["a", None, ""], pa.string())).tolist() == ["a", "(missing)", "(missing)"]


def test_a_number_with_few_values_is_sliced_by_value() -> None:
    assert slice_names(_column([1.0, 2.0, None], pa.float32())).tolist() == ["1", "2", "(missing)"]


def test_a_truth_value_and_a_time_are_sliced_by_value() -> None:
    assert slice_names(_column([True, False, None], pa.bool_())).tolist() == ["true", "false", "(missing)"]
    times = [dt.datetime(2026, 1, 31) + dt.timedelta(hours=hour) for hour in range(MOST_VALUES + 1)]
    assert slice_names(_column([*times], pa.timestamp("us")))[1] == "2026-01-31 01:00:00"


def test_a_number_with_many_values_is_cut_into_quarters() -> None:
    names = slice_names(_column([*range(100), None], pa.int64()))
    values, rows = np.unique(names, return_counts=True)
    assert sorted(rows) == [1, 24, 25, 25, 26] and "74 to 99" in values


def test_the_most_frequent_values_are_shown_and_no_more() -> None:
    values = [f"v{index:03d}" for index in range(100)] + ["v099"]
    project = tiny_project(slices=["c"])
    found = measure_slices(project, np.arange(101) % 2, np.linspace(0, 1, 101), pa.table({"c": values}))
    assert len(found) == MOST_VALUES and found[-1].value == "v099" and found[-1].rows == 2


def test_a_much_worse_slice_is_a_warning_that_names_it() -> None:
    project = tiny_project(slices=["airport"])
    check = judge_slices(project, measure_slices(project, *_rows(bad=150)), whole=0.9)[0]
    assert check.status == "warn" and "airport Z (0" in check.reason and "A (" not in check.reason


def test_a_slice_with_few_rows_is_shown_and_not_judged() -> None:
    project = tiny_project(slices=["airport"], slice_min_rows=200)
    found = measure_slices(project, *_rows(bad=150))
    small = next(part for part in found if part.value == "Z")
    assert small.interval is None and small.metric < 0.5
    assert judge_slices(project, found, whole=0.9)[0].status == "pass"


def test_a_column_without_a_large_enough_slice_is_skipped_aloud() -> None:
    project = tiny_project(slices=["airport"], slice_min_rows=2_000)
    check = judge_slices(project, measure_slices(project, *_rows(bad=150)), whole=0.9)[0]
    assert check.status == "skipped" and "2000" in check.reason
