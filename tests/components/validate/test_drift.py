from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon

from components.validate.drift import JENSEN_SHANNON, L_INFINITY, jensen_shannon, measure_shifts
from components.validate.partial_statistics import Accumulator
from components.validate.statistics import Detail
from components.validate.tfdv_columns import to_lists

_DETAIL = Detail(20, 20)


def _statistics(values):
    accumulator = Accumulator(["x"], _DETAIL)
    column = values if isinstance(values, pa.Array) else pa.array(values)
    accumulator.add(pa.RecordBatch.from_arrays([to_lists(column)], names=["x"]))
    return accumulator.finish()


def _shift(before, after):
    (shift,) = measure_shifts(_statistics(before), _statistics(after))
    return shift


def test_the_divergence_is_the_square_of_scipys_distance():
    one, other = np.array([0.1, 0.6, 0.3, 0.0]), np.array([0.3, 0.2, 0.1, 0.4])
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2)


def test_equal_rows_have_no_distance_and_disjoint_ones_the_largest():
    values = np.random.default_rng(0).normal(size=1000)
    assert _shift(values, values).distance == 0
    assert _shift(values, values + 100).distance == pytest.approx(1)


def test_two_samples_of_one_distribution_are_close():
    random = np.random.default_rng(0)
    assert _shift(random.normal(size=2000), random.normal(size=2000)).distance < 0.02


def test_the_divergence_of_two_values_is_exact():
    before, after = [0] * 700 + [1] * 300, [0] * 400 + [1] * 600
    expected = jensenshannon([0.7, 0.3], [0.4, 0.6], base=2) ** 2
    assert _shift(before, after).distance == pytest.approx(expected, abs=0.002)


def test_a_long_tail_does_not_hide_that_the_body_moved():
    random = np.random.default_rng(0)
    tail = np.full(20, 1e6)
    before, after = random.normal(0, 1, 1000), random.normal(5, 1, 1000)
    assert _shift(np.append(before, tail), np.append(after, tail)).distance > 0.8


def test_the_distance_of_texts_is_the_largest_change_of_a_share():
    shift = _shift(["a"] * 60 + ["b"] * 40, ["a"] * 35 + ["b"] * 40 + ["c"] * 25)
    assert shift.measure == L_INFINITY
    assert shift.distance == pytest.approx(0.25)
    assert {value for value, _, _ in shift.moved} == {"'a'", "'c'"}


def test_values_that_go_missing_are_drift():
    assert _shift([1.0, 2.0] * 50, [1.0, 2.0] * 25 + [None] * 50).distance > 0.2
    assert _shift(["a", "b"] * 50, ["a", "b"] * 25 + [None] * 50).distance == pytest.approx(0.5)


def test_a_constant_that_changes_is_the_largest_distance():
    shift = _shift([1] * 100, [2] * 100)
    assert (shift.measure, shift.distance) == (JENSEN_SHANNON, pytest.approx(1))
    assert shift.moved == [("1", 1.0, 0.0), ("2", 0.0, 1.0)]


def test_numbers_on_one_side_and_text_on_the_other_are_not_compared():
    assert np.isnan(_shift([1, 2], ["a", "b"]).distance)


@pytest.mark.parametrize("kind", [pa.float32(), pa.int64(), pa.string()])
def test_columns_without_any_value_are_compared_by_what_is_missing(kind):
    empty = pa.nulls(100, kind)
    full = pa.array(["1", "2"] * 50).cast(kind)
    assert _shift(empty, empty).distance == 0
    assert _shift(full, empty).distance == pytest.approx(1)


def test_equal_numbers_have_no_distance_from_statistics_of_single_precision():
    values = [0.1, 0.2, 0.3, 1234.567] * 100
    assert _shift(pa.array(values, pa.float32()), values).distance == 0
    assert _shift(pa.array(values, pa.float32()), [0.1, 0.1, 0.3, 1234.567] * 100).distance > 0.05


def test_large_whole_numbers_are_compared_exactly():
    numbers = [2**53 + 2 * row for row in range(200)]
    assert _shift(numbers, [number + 1_000 for number in numbers]).distance == pytest.approx(1)


def test_the_effect_is_the_change_of_the_mean_in_standard_deviations():
    random = np.random.default_rng(0)
    before, after = random.normal(10, 2, 5_000), random.normal(11, 2, 5_000)
    assert _shift(before, after).effect == pytest.approx(0.5, abs=0.05)
    assert _shift(after, before).effect == pytest.approx(-0.5, abs=0.05)
    assert _shift([3, 3], [3, 3]).effect == 0 and np.isnan(_shift([3, 3], [4, 4]).effect)


def test_the_effect_of_texts_is_of_the_value_whose_share_changed_most():
    before, after = ["a"] * 50 + ["b"] * 50, ["a"] * 75 + ["b"] * 25
    assert abs(_shift(before, after).effect) == pytest.approx(2 * np.arcsin(np.sqrt(0.75)) - np.pi / 2)
    assert _shift(before, before).effect == 0
