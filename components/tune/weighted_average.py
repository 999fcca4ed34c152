"""The weights of an average of several models: greedy selection with replacement.

Models are added one by one, a model as often as it helps; the average so far is always among those that are compared, so it is never worse on these rows than the
best model. Source: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble Selection from Libraries of Models" (2004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 20
"""Models that are added: weights are multiples of a twentieth."""


def select_weights(scores: Sequence[NDArray[Any]], cost: Callable[[NDArray[Any]], float], most: int) -> dict[int, int]:
    """Return the weight of each model that is part of the average, by its place.

    Args:
        scores: The scores of each model on the same rows.
        cost: What the average is judged by: the lower, the better.
        most: Most models that have a weight.
    """
    chosen: list[int] = []
    total = np.zeros_like(scores[0])
    costs = []
    for step in range(1, _STEPS + 1):
        allowed = [place for place in range(len(scores)) if place in chosen or len({*chosen}) < most]
        tried = [cost((total + scores[place]) / step) for place in allowed]
        best = int(np.argmin(tried))
        chosen.append(allowed[best])
        total = total + scores[allowed[best]]
        costs.append(tried[best])
    return dict(Counter(chosen[: int(np.argmin(costs)) + 1]))
