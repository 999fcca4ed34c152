"""Bins of a histogram: many equal values are one bar, and no row of the middle is lost."""

from itertools import pairwise

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.validate.histogram_bins import bins


def _feature(values: np.ndarray) -> statistics_pb2.FeatureNameStatistics:
    """Statistics with both histograms, as TFDV makes them: ten of equal widths times ten, and quantiles by twentieths."""
    feature = statistics_pb2.FeatureNameStatistics(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    numbers = feature.num_stats
    numbers.min, numbers.max, numbers.median = values.min(), values.max(), float(np.median(values))
    counts, edges = np.histogram(values, bins=100)
    standard = numbers.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for low, high, rows in zip(edges[:-1], edges[1:], counts, strict=True):
        standard.buckets.add(low_value=low, high_value=high, sample_count=rows)
    ordered = numbers.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
    cuts = np.quantile(values, np.linspace(0, 1, 101))
    for low, high in pairwise(cuts):
        ordered.buckets.add(low_value=low, high_value=high, sample_count=len(values) / 100)
    return feature


RANDOM = np.random.default_rng(3)
TAIL = RANDOM.lognormal(0, 1, 1_000)


@pytest.mark.parametrize(
    ("values", "at", "share"),
    [
        (np.append(np.zeros(2_010), np.append(TAIL[:989], 5_000.0)), 0.0, 0.67),
        (np.append(np.full(400, -1.0), np.append(np.zeros(500), np.append(TAIL[:99], 900.0))), 0.0, 0.5),
        (np.append(np.full(600, 10.0), np.append(10 - TAIL[:399], -4_000.0)), 10.0, 0.6),
    ],
)
def test_a_value_that_many_rows_have_is_a_bar_of_that_share(values: np.ndarray, at: float, share: float) -> None:
    edges, counts, note = bins(_feature(values))
    assert note.startswith("The middle")
    place = min(int(np.searchsorted(edges, at, side="right")) - 1, len(counts) - 1)
    assert counts[place] / len(values) == pytest.approx(share, abs=0.12)
    assert counts[place] == max(counts)


def test_the_middle_of_a_smooth_tail_keeps_its_rows() -> None:
    values = np.append(RANDOM.lognormal(0, 3, 5_000), 1e9)
    _, counts, _ = bins(_feature(values))
    assert sum(counts) / len(values) == pytest.approx(0.9, abs=0.02)


def test_the_ends_are_reported_with_all_digits_of_a_whole_number() -> None:
    _, _, note = bins(_feature(np.append(TAIL, 123_456_789.0)))
    assert "123,456,789" in note
