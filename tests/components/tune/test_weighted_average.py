"""The weights of an average of models, held against every other choice of weights."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from components.tune.weighted_average import select_weights

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.normal(size=300)


def cost(scores: np.ndarray, places: np.ndarray | None = None) -> float:
    return float(np.mean((scores - (LABELS if places is None else LABELS[places])) ** 2))


def average(scores: list[np.ndarray], weights: dict[int, int]) -> np.ndarray:
    return np.average([scores[place] for place in weights], axis=0, weights=[*weights.values()])


def test_models_whose_errors_cancel_out_get_equal_weights_and_bad_ones_none() -> None:
    error = RANDOM.normal(size=300)
    scores = [LABELS + 9, LABELS + error, LABELS - error, LABELS + 3 * RANDOM.normal(size=300), LABELS - 8]
    weights = select_weights(scores, cost, 2, 7)
    assert weights.keys() == {1, 2} and abs(weights[1] - weights[2]) <= 20


def test_the_weights_are_about_as_good_as_the_best_of_all_weights_in_tenths() -> None:
    scores = [LABELS + noise * RANDOM.normal(size=300) for noise in (1.0, 1.3, 2.0)]
    found = cost(average(scores, select_weights(scores, cost, 3, 7)))
    every = (each for each in product(range(11), repeat=3) if sum(each) == 10)
    best = min(cost(np.average(scores, axis=0, weights=each)) for each in every)
    assert found < min(map(cost, scores))
    assert found == pytest.approx(best, rel=0.05)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_models_than_allowed_get_a_weight_and_equal_seeds_give_equal_ones(most: int) -> None:
    scores = [LABELS + noise * RANDOM.normal(size=300) for noise in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)]
    weights = select_weights(scores, cost, most, 7)
    assert len(weights) == most and sum(weights.values()) == pytest.approx(100, abs=3)
    assert weights == select_weights(scores, cost, most, 7)
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
