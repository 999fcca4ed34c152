"""Readable bins of a numeric feature's histogram, made from TFDV's finer ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.report.number_format import show
from components.validate.statistics import equal_widths, is_whole, quantiles

MOST_BINS = 20
_FEW_WHOLE = 32
_CROWDED = 0.8
_MANY_QUANTILES = 10

Floats = NDArray[np.float64]
Bins = tuple[list[float], list[float], str]


def bins(feature: Any) -> Bins:
    """Return edges, counts and a note for a numeric feature with distinct values.

    Few whole numbers get a bar each. When a long tail crowds nearly all values into one bin, only the middle 90 % are
    shown, and the note says so.
    """
    buckets = equal_widths(feature)
    edges = np.array([bucket.low_value for bucket in buckets] + [buckets[-1].high_value], dtype=np.float64)
    counts = np.array([bucket.sample_count for bucket in buckets], dtype=np.float64)
    span = edges[-1] - edges[0]
    if is_whole(feature) and span < min(_FEW_WHOLE, len(counts)):
        return _by_number(edges, counts)
    width = max(len(counts) // MOST_BINS, 1)
    wider = np.add.reduceat(counts, np.arange(0, len(counts), width))
    if wider.max() >= _CROWDED * wider.sum() and (inner := _middle(feature)) is not None:
        return inner
    return np.append(edges[:-1:width], edges[-1]).tolist(), wider.tolist(), ""


def _by_number(edges: Floats, counts: Floats) -> Bins:
    """Make one bin per whole number; each fine bin, narrower than 1, belongs to the number at or below its upper edge."""
    low, high = round(edges[0]), round(edges[-1])
    rows = np.zeros(high - low + 1)
    numbers = np.floor(edges[1:] + 1e-9).astype(np.int64) - low
    np.add.at(rows, np.clip(numbers, 0, high - low), counts)
    return (np.arange(low, high + 2) - 0.5).tolist(), rows.tolist(), ""


def _middle(feature: Any) -> Bins | None:
    """Return the middle 90 % of the values, from the quantile histogram; None when they are all equal."""
    buckets = quantiles(feature)
    if len(buckets) < _MANY_QUANTILES:
        return None
    cut = max(len(buckets) // 20, 1)
    inner = buckets[cut:-cut]
    low, high = float(inner[0].low_value), float(inner[-1].high_value)
    if not low < high:
        return None
    edges = np.linspace(low, high, MOST_BINS + 1)
    share = 1 - 2 * cut / len(buckets)
    message = f"The middle {share:.0%} of the values; all lie between {show(feature.num_stats.min)} and {show(feature.num_stats.max)}."
    # an edge belongs to the bin above it, the last one to the bin below: many equal values are one bar, and none is lost
    limits = np.append(np.nextafter(edges[:-1], -np.inf), np.nextafter(edges[-1], np.inf))
    return edges.tolist(), np.diff(_rows_below(buckets, limits)).tolist(), message


def _rows_below(buckets: list[Any], limits: Floats) -> Floats:
    """Count the rows below each limit: a bucket's rows are spread evenly over its width."""
    points = np.array([[bucket.low_value, bucket.high_value] for bucket in buckets], dtype=np.float64).ravel()
    sums = np.cumsum([bucket.sample_count for bucket in buckets])
    below = np.column_stack([np.append(0.0, sums[:-1]), sums]).ravel()
    found: Floats = np.interp(limits, points, below)
    return found
