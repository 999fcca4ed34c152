"""The weights of an average of models, held against every other choice of weights."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from components.tune.weighted_average import select_weights

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.normal(size=300)


def cost(scores: np.ndarray) -> float:
    return float(np.mean((scores - LABELS) ** 2))


def test_models_whose_errors_cancel_out_get_equal_weights_and_a_useless_one_gets_none() -> None:
    error = RANDOM.normal(size=300)
    weights = select_weights([LABELS + 9, LABELS + error, LABELS - error], cost, 3)
    assert weights[1] == weights[2] and 0 not in weights


def test_the_weights_are_about_as_good_as_the_best_of_all_weights_in_tenths() -> None:
    scores = [LABELS + noise * RANDOM.normal(size=300) for noise in (1.0, 1.3, 2.0)]
    weights = select_weights(scores, cost, 3)
    found = cost(np.average([scores[place] for place in weights], axis=0, weights=[*weights.values()]))
    every = (each for each in product(range(11), repeat=3) if sum(each) == 10)
    best = min(cost(np.average(scores, axis=0, weights=each)) for each in every)
    assert found < min(map(cost, scores))
    assert found == pytest.approx(best, rel=0.01)


def test_no_more_models_than_allowed_get_a_weight_and_the_average_is_never_worse_than_the_best() -> None:
    scores = [LABELS + noise * RANDOM.normal(size=300) for noise in (0.1, 5.0, 5.0, 5.0)]
    for most in (1, 2, 3):
        weights = select_weights(scores, cost, most)
        average = np.average([scores[place] for place in weights], axis=0, weights=[*weights.values()])
        assert len(weights) <= most and cost(average) <= min(map(cost, scores))
