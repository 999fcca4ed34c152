"""Robust bounds: what lies far from the other pictures of the same data.

The spread is measured on one side of the median, from the quartile and the decile: half of the pictures can lie on the other side
in any way, and up to a tenth can be wrong without moving the bound much. A distribution with a long tail has a far decile, and
so a far bound.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from components.validate.pictures.measured_pictures import Numbers

FEWEST = 20
"""Fewest pictures for which a usual range can be told."""
_NORMAL = NormalDist()
_QUARTILE, _DECILE = -_NORMAL.inv_cdf(0.25), -_NORMAL.inv_cdf(0.1)
_ROUNDS = 10
_BY_CHANCE = 0.01
"""Pictures of a whole data set of normal distribution that are beyond a bound by chance."""


def deviations_for(pictures: int, fewest: float) -> float:
    """Return the number of standard deviations that hardly any of so many pictures exceed by chance."""
    return max(fewest, -_NORMAL.inv_cdf(_BY_CHANCE / max(pictures, 1)))


def lower_bound(values: Numbers, deviations: float, least_distance: float) -> float:
    """Return the bound below which a value lies far from the others; minus infinity for few values.

    Args:
        values: The values of all pictures, on a scale on which they spread evenly, such as a logarithm.
        deviations: Distance from the median in standard deviations.
        least_distance: Least distance, in the unit of the values.
    """
    bound, kept = -math.inf, values
    # what lies beyond the bound widens the spread: it is left out, and the bound is taken once more; clean data keeps its first
    for _ in range(_ROUNDS):
        if len(kept) < FEWEST:
            break
        bound = _bound(kept, deviations, least_distance)
        if (kept >= bound).all():
            break
        kept = kept[kept >= bound]
    return bound


def upper_bound(values: Numbers, deviations: float, least_distance: float) -> float:
    """Return the bound above which a value lies far from the others; infinity for few values."""
    return -lower_bound(-values, deviations, least_distance)


def _bound(values: Numbers, deviations: float, least_distance: float) -> float:
    median, quartile, decile = np.quantile(values, [0.5, 0.25, 0.1])
    spread = max((median - quartile) / _QUARTILE, (median - decile) / _DECILE)
    return float(median - max(deviations * spread, least_distance))
