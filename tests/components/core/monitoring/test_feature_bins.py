from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.monitoring.feature_bins import (
    MOST_KNOWN,
    NumberBins,
    TextBins,
    count,
    load_bins,
    number_bins,
    text_bins,
)


def test_each_number_is_counted_in_the_range_that_has_it():
    bins = NumberBins("float32", (1.0, 2.0, 4.0))
    values = pa.array([0.5, 1.0, 1.5, 2.0, 2.5, 4.0, 4.5, None, math.nan, math.inf])
    assert bins.labels() == ["below 1", "1 to 2", "2 to 4", "above 4", "missing", "wrong type"]
    assert count(bins, values).tolist() == [1, 3, 2, 2, 2, 0]


def test_numbers_are_counted_as_the_model_sees_them():
    values = np.array([0.1, 0.2, 0.3] * 100)
    bins = number_bins(values.astype(np.float32).astype(float), "float32")
    assert count(bins, pa.array(values)).tolist() == count(bins, pa.array(values.astype(np.float32))).tolist()


def test_ranges_hold_equal_shares_and_the_ends_a_tenth_of_a_percent():
    values = np.random.default_rng(0).normal(size=200_000)
    counts = count(number_bins(values, "float32"), pa.array(values))
    assert np.allclose(counts[1:11] / len(values), 0.1, atol=0.002)
    assert counts[0] / len(values) == pytest.approx(0.0005, abs=1e-4)
    assert counts[11] / len(values) == pytest.approx(0.0005, abs=1e-4)


def test_a_few_whole_numbers_get_a_range_each_and_nothing_is_out_of_range():
    values = np.repeat([5.0, 6.0, 7.0], [10, 700, 290])
    bins = number_bins(values, "int64")
    assert bins.labels()[1:-3] == ["5 to 6", "7"] or bins.labels()[1:-3] == ["5", "6", "7"]
    counts = count(bins, pa.array(values.astype(int)))
    assert counts[0] == counts[-3] == 0


def test_a_constant_has_one_range():
    bins = number_bins(np.full(100, 7.0), "int64")
    assert count(bins, pa.array([7, 6, 8, 7])).tolist() == [1, 2, 1, 0, 0]


def test_a_text_among_numbers_is_a_wrong_type():
    assert count(NumberBins("int64", (1.0, 2.0)), pa.array(["1", None])).tolist() == [0, 0, 0, 1, 1]


def test_texts_are_top_known_unseen_or_missing():
    bins = TextBins(("a", "b"), ("c",))
    assert count(bins, pa.array(["a", "b", "b", "c", "z", "", None])).tolist() == [1, 2, 1, 1, 2, 0]
    assert count(bins, pa.array([1.0, None, math.nan])).tolist() == [0, 0, 0, 0, 2, 1]
    assert count(bins, pa.array([None, None])).tolist() == [0, 0, 0, 0, 2, 0]


def test_thirty_values_have_cells_of_their_own_the_most_frequent_first():
    counts = {f"v{place:02d}": 100 - place for place in range(40)}
    bins = text_bins(counts)
    assert bins.top == tuple(f"v{place:02d}" for place in range(30))
    assert bins.others == tuple(f"v{place:02d}" for place in range(30, 40))


def test_a_feature_of_very_many_values_has_none_that_is_unseen():
    bins = text_bins({str(place): 1 for place in range(MOST_KNOWN + 1)})
    assert bins.is_open and "unseen" not in bins.invariants
    assert count(bins, pa.array(["new"]))[len(bins.top)] == 1


@pytest.mark.parametrize(
    "bins", [NumberBins("int64", (1.0, 2.5)), TextBins(("ü", 'q"'), ("z",)), TextBins(("a",), (), True)]
)
def test_cells_survive_their_json(bins: NumberBins | TextBins):
    assert load_bins(bins.to_json()) == bins


def test_edges_that_do_not_ascend_are_refused():
    with pytest.raises(DataError, match="edges"):
        load_bins({"kind": "number", "dtype": "int64", "edges": [2, 1]})
