from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components.validate.histogram_bins import bins
from components.validate.partial_statistics import Accumulator
from components.validate.statistics import Detail
from components.validate.tfdv_columns import to_lists


def _feature(values):
    accumulator = Accumulator(["x"], Detail(60, 20))
    accumulator.add(pa.RecordBatch.from_arrays([to_lists(pa.array(values))], names=["x"]))
    return accumulator.finish().features[0]


def test_few_whole_numbers_get_a_bar_each():
    edges, counts, note = bins(_feature([1] * 50 + [2] * 30 + [4] * 20))
    assert edges == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert counts == pytest.approx([50, 30, 0, 20], abs=1)
    assert not note


def test_a_long_tail_is_cut_and_reported():
    body = np.random.default_rng(0).normal(0, 1, 2000)
    edges, _, note = bins(_feature(np.append(body, 1e6)))
    assert edges[-1] < 10
    assert note.startswith("The middle 90% of the values")


def test_bins_of_real_numbers_hold_every_value():
    values = np.random.default_rng(0).uniform(0, 1, 1000)
    edges, counts, _ = bins(_feature(values))
    assert (edges[0], edges[-1]) == (values.min(), values.max())
    assert sum(counts) == pytest.approx(1000, rel=0.01)
