"""The weights of an average of several models: greedy selection with replacement, on several random halves of the rows.

A half begins with the mean of its best models, and models are added one by one, each as often as it helps. Both keep the weights from following the noise of few rows:
chosen on all rows at once, from nothing, they were behind the mean of the best three models where positives are rare. Source: Caruana, Niculescu-Mizil, Crew and
Ksikes, "Ensemble Selection from Libraries of Models" (2004), with its sorted initialisation and its bags.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cost = Callable[[NDArray[Any], NDArray[np.int64]], float]
_HALVES = 6
_MOST_BEGUN, _MOST_CHOSEN = 3, 8
"""Models that a half begins with, and has, at most; those that are in it several times are counted so often."""


def select_weights(scores: Sequence[NDArray[Any]], cost: Cost, most: int, seed: int) -> dict[int, int]:
    """Return the weight of each model that is part of the average, in percent, by its place.

    Args:
        scores: The scores of each model on the same rows.
        cost: What an average is judged by, given its scores of some rows and their places: the lower, the better.
        most: Most models that have a weight.
        seed: Seed of the halves.
    """
    random = np.random.default_rng(seed)
    rows = len(scores[0])
    shares: defaultdict[int, float] = defaultdict(float)
    for _ in range(_HALVES):
        half = np.sort(random.permutation(rows)[: -(-rows // 2)])
        chosen = _select([each[half] for each in scores], lambda mean, half=half: cost(mean, half))  # type: ignore[misc]
        for place in chosen:
            shares[place] += 1 / len(chosen)
    kept = sorted(shares, key=lambda place: (-shares[place], place))[:most]
    total = sum(shares[place] for place in kept)
    return {place: max(round(100 * shares[place] / total), 1) for place in kept}


def _select(scores: list[NDArray[Any]], cost: Callable[[NDArray[Any]], float]) -> list[int]:
    """Return the places of the models of the best average, those that count several times as often."""
    singly = [cost(each) for each in scores]
    ranked = sorted(range(len(scores)), key=lambda place: (singly[place], place))[:_MOST_BEGUN]
    means = [cost(np.mean([scores[place] for place in ranked[: last + 1]], axis=0)) for last in range(len(ranked))]
    begun = int(np.argmin(means)) + 1
    chosen, costs = ranked[:begun], [means[begun - 1]]
    total = np.sum([scores[place] for place in chosen], axis=0)
    for count in range(begun + 1, _MOST_CHOSEN + 1):
        tried = [cost((total + each) / count) for each in scores]
        best = int(np.argmin(tried))
        chosen.append(best)
        total = total + scores[best]
        costs.append(tried[best])
    return chosen[: begun + int(np.argmin(costs))]
