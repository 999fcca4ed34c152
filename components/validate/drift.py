"""Drift: how far the values of each feature have moved from one set of rows to another.

- Numbers: Jensen-Shannon divergence, base 2, so from 0 (equal) to 1 (nothing in common). It is taken over bins between
  the deciles of both sides, read off TFDV's quantile histograms; equal-width bins, which TFDV's own comparator uses,
  put a long-tailed feature into one bin and see nothing move. (J. Lin, "Divergence measures based on the Shannon
  entropy", IEEE Transactions on Information Theory 37(1), 1991.)
- Texts: L-infinity, the largest change of any one value's share, as in TFDV's `infinity_norm` comparator. It names the
  value, and is not drowned by a long tail of rare ones. (E. Breck et al., "Data Validation for Machine Learning", MLSys
  2019.)

A missing value counts as one more value in both, so a column that loses its values drifts.

Beside the distance, an effect size says how much it is in units that all columns share (J. Cohen, "Statistical Power Analysis for
the Behavioral Sciences", 2nd ed., 1988): of numbers d, the change of the mean in standard deviations; of texts h, of the value
whose share changed most. 0.2 is small, 0.5 medium, 0.8 large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.types.feature_types import FLOAT32
from components.validate.statistics import Statistics, by_name, is_text, is_whole, missing_rows, quantiles

Floats = NDArray[np.float64]
Shares = list[tuple[str, float, float]]
"""Value or range, its share of the rows before, its share after. Different ranges can look equal, so names are not unique."""

JENSEN_SHANNON = "Jensen-Shannon divergence"
L_INFINITY = "L-infinity distance"
MISSING = "missing"
_OTHERS = "all other values"
_MOVED = 3


@dataclass(frozen=True)
class Shift:
    """How one feature moved.

    Attributes:
        feature: Name of the feature.
        measure: Name of the distance.
        distance: Distance between 0 and 1; NaN when the two sides cannot be compared.
        before: The feature in the older rows, in a word: its mean or its most frequent value.
        after: The feature in the newer rows, in a word.
        moved: Share of the rows before and after by value or range, the most moved first.
        effect: Effect size, see the module's docstring; NaN where there is none, as of a constant that became another.
    """

    feature: str
    measure: str
    distance: float
    before: str
    after: str
    moved: Shares
    effect: float = math.nan


def measure_shifts(before: Statistics, after: Statistics) -> list[Shift]:
    """Measure how each common feature moved, in the order of the newer table.

    Args:
        before: Statistics of the older rows.
        after: Statistics of the newer rows.
    """
    older = by_name(before)
    pairs = [(name, older[name], feature) for name, feature in by_name(after).items() if name in older]
    return [_shift(name, old, new, before.num_examples, after.num_examples) for name, old, new in pairs]


def jensen_shannon(before: Floats, after: Floats) -> float:
    """Compute the Jensen-Shannon divergence, base 2, of two vectors of shares that sum to 1; shape [bins] each."""
    middle = (before + after) / 2
    return float(min(max((_relative_entropy(before, middle) + _relative_entropy(after, middle)) / 2, 0.0), 1.0))


def l_infinity(shares: Shares) -> float:
    """Return the largest change of any one value's share; unlisted values count as one."""
    return max((abs(after - before) for _, before, after in shares), default=0.0)


def numeric_shares(before: Any, after: Any, rows_before: int, rows_after: int) -> Shares:
    """Compute the share of the rows by range of values, before and after; ranges lie between the deciles of both sides."""
    # as the model sees them: equal numbers must be equal in statistics of examples that had single precision
    is_exact = is_whole(before) and is_whole(after)
    old, new = _curve(before, is_exact), _curve(after, is_exact)
    edges = np.unique(np.concatenate([_deciles(old), _deciles(new)]))
    gaps_before, gaps_after = (
        missing_rows(before, rows_before) / rows_before,
        missing_rows(after, rows_after) / rows_after,
    )
    parts_before = np.diff(_up_to(edges, old), prepend=0.0) * (1 - gaps_before)
    parts_after = np.diff(_up_to(edges, new), prepend=0.0) * (1 - gaps_after)
    names = [_range(edges, place, is_whole(after)) for place in range(len(edges))]
    shares = list(zip(names, parts_before.tolist(), parts_after.tolist(), strict=True))
    return [*shares, (MISSING, gaps_before, gaps_after)]


def text_shares(before: Any, after: Any, rows_before: int, rows_after: int) -> Shares:
    """Compute the share of the rows by value, before and after."""
    old, new = _ranks(before, rows_before), _ranks(after, rows_after)
    values = list(dict.fromkeys([*new, *old]))
    shares = [(repr(value), old.get(value, 0.0), new.get(value, 0.0)) for value in values]
    gaps = missing_rows(before, rows_before) / rows_before, missing_rows(after, rows_after) / rows_after
    rest = max(1 - gaps[0] - sum(old.values()), 0.0), max(1 - gaps[1] - sum(new.values()), 0.0)
    return [*shares, (MISSING, *gaps), (_OTHERS, *rest)]


def _shift(name: str, old: Any, new: Any, rows_before: int, rows_after: int) -> Shift:
    before, after = _in_a_word(old), _in_a_word(new)
    if is_text(old) != is_text(new):
        return Shift(name, "type", math.nan, before, after, [])
    if is_text(new):
        shares = text_shares(old, new, rows_before, rows_after)
        return Shift(name, L_INFINITY, l_infinity(shares), before, after, _most_moved(shares), _cohen_h(shares))
    shares = numeric_shares(old, new, rows_before, rows_after)
    both = np.array([(one, other) for _, one, other in shares], dtype=np.float64)
    distance = jensen_shannon(both[:, 0], both[:, 1])
    return Shift(name, JENSEN_SHANNON, distance, before, after, _most_moved(shares), _cohen_d(old, new))


def _cohen_d(before: Any, after: Any) -> float:
    """Return the change of the mean, in standard deviations of both sides."""
    old, new = before.num_stats, after.num_stats
    if not (old.common_stats.num_non_missing and new.common_stats.num_non_missing):
        return math.nan
    change = float(new.mean - old.mean)
    deviation = math.sqrt((old.std_dev**2 + new.std_dev**2) / 2)
    return change / deviation if deviation else (math.nan if change else 0.0)


def _cohen_h(shares: Shares) -> float:
    """Return the change of the share that changed most, on the scale on which shares are equally well distinguished."""
    if not shares:
        return 0.0
    before, after = max(shares, key=lambda share: abs(share[2] - share[1]))[1:]
    return 2 * (math.asin(math.sqrt(min(after, 1.0))) - math.asin(math.sqrt(min(before, 1.0))))


def _most_moved(shares: Shares) -> Shares:
    changed = [share for share in shares if share[1] != share[2]]
    return sorted(changed, key=lambda share: -abs(share[2] - share[1]))[:_MOVED]


def _in_a_word(feature: Any) -> str:
    if is_text(feature):
        top = feature.string_stats.top_values
        return f"mostly {top[0].value!r}" if top else "no values"
    return f"mean {feature.num_stats.mean:.4g}" if feature.num_stats.common_stats.num_non_missing else "no values"


def _curve(feature: Any, is_exact: bool) -> tuple[Floats, Floats]:
    """Return the distribution function of a numeric feature's values: points, and the share of values up to each.

    Args:
        feature: Statistics of the feature.
        is_exact: Whether the points keep double precision; else they are rounded to a model's.

    TFDV's quantile buckets hold what lies above their low and up to their high value, so the sum up to the last bucket
    that ends at a point is exact there, also for a value that repeats.
    """
    buckets = quantiles(feature)
    if not buckets:
        return np.empty(0), np.empty(0)
    bounds = np.array([buckets[0].low_value, *(bucket.high_value for bucket in buckets)], dtype=np.float64)
    bounds = bounds if is_exact else bounds.astype(FLOAT32.numpy).astype(np.float64)
    low, highs = bounds[0], bounds[1:]
    sums = np.cumsum([bucket.sample_count for bucket in buckets])
    last = np.append(np.flatnonzero(np.diff(highs)), len(highs) - 1)
    points, shares = highs[last], sums[last] / sums[-1]
    return (points, shares) if points[0] == low else (np.append(low, points), np.append(0.0, shares))


def _deciles(curve: tuple[Floats, Floats]) -> Floats:
    """Return the points of a curve next to its deciles, and one just below its start."""
    points, shares = curve
    if not len(points):
        return points
    places = np.minimum(np.searchsorted(shares, np.linspace(0.1, 1, 10) - 1e-9), len(points) - 1)
    return np.append(np.nextafter(points[0], -np.inf), points[places])


def _up_to(edges: Floats, curve: tuple[Floats, Floats]) -> Floats:
    points, shares = curve
    return np.interp(edges, points, shares, left=0.0) if len(points) else np.zeros(len(edges))


def _range(edges: Floats, place: int, whole: bool) -> str:
    """Describe the values above one edge and up to the next."""
    high = edges[place]
    if place == 0:
        return f"below {np.nextafter(high, np.inf):.4g}"
    low = np.floor(edges[place - 1]) + 1 if whole else edges[place - 1]
    return f"{high:.4g}" if low == high or np.nextafter(low, np.inf) == high else f"{low:.4g} to {high:.4g}"


def _ranks(feature: Any, rows: int) -> dict[str, float]:
    return {bucket.label: bucket.sample_count / rows for bucket in feature.string_stats.rank_histogram.buckets}


def _relative_entropy(shares: Floats, other: Floats) -> float:
    there = shares > 0
    return float(np.sum(shares[there] * np.log2(shares[there] / other[there])))
