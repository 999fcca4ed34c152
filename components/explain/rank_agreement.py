"""Whether two methods order the features alike: rank correlations, and the direction of each part.

Source: Krishna et al., "The Disagreement Problem in Explainable Machine Learning" (2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components._frameworks.sampled_rows import Array
from components.explain.leaks import rank_correlation

COMPARED = 20
"""Most features compared: the order of those that hardly matter is noise on both sides."""
COMPARABLE = 4
"""Fewest features whose order is judged."""
UNLIKE = 0.5
"""Rank correlation below which two methods count as disagreeing."""


@dataclass(frozen=True)
class RankAgreement:
    """How far two methods agree on the features of one row.

    Attributes:
        spearman: Rank correlation of the sizes of the parts; NaN where it is not defined.
        kendall: Kendall's tau-b of them; NaN where it is not defined.
        same_sign: Features whose part has the same direction by both; parts of 0 have any.
        features: Features compared.
    """

    spearman: float
    kendall: float
    same_sign: int
    features: int


def compare_parts(one: Mapping[str, float], other: Mapping[str, float]) -> RankAgreement:
    """Compare the parts of the features that both methods know, the 20 largest of the first at most."""
    shared = sorted((name for name in one if name in other), key=lambda name: -abs(one[name]))[:COMPARED]
    first, second = (np.array([float(parts[name]) for name in shared]) for parts in (one, other))
    sizes = np.abs(first), np.abs(second)
    return RankAgreement(rank_correlation(*sizes), kendall(*sizes), int((first * second >= 0).sum()), len(shared))


def kendall(left: Array, right: Array) -> float:
    """Compute Kendall's tau-b, which allows for ties; NaN when one side is constant. Compares all pairs."""
    one, other = (np.sign(values[:, None] - values[None, :]) for values in (left, right))
    pairs = math.sqrt(float((one != 0).sum()) * float((other != 0).sum()))
    return float((one * other).sum()) / pairs if pairs else float("nan")
