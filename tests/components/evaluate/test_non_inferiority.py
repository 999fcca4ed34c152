"""As good, worse or undecided: what the interval says against the margin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric
from components.evaluate.non_inferiority import Comparison, ModelScores, compare_models, default_margin

BINARY, REGRESSION = TASKS["binary_classification"], TASKS["regression"]
AUC, RMSE = BINARY.metric(), REGRESSION.metric()


def _scores(noise: float, seed: int, rows: int = 3_000) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.clip((np.arange(rows) % 2) * 0.4 + 0.3 + random.normal(0, noise, rows), 0, 1).astype(np.float32)


def _compare_scores(task: Task, metric: Metric, labels: Any, *by_model: list[Any], **settings: Any) -> Comparison:
    whole, reduced = ([ModelScores(task, scores) for scores in each] for each in by_model)
    return compare_models(metric, labels, whole, reduced, **settings)


def _compare(whole: float, reduced: float, margin: float, seeds: int = 3) -> Comparison:
    pairs = [
        [_scores(noise, 10 * seed + place) for seed in range(seeds)] for place, noise in enumerate((whole, reduced))
    ]
    return _compare_scores(BINARY, AUC, np.arange(3_000) % 2, *pairs, margin=margin, seed=7)


@pytest.mark.parametrize(
    ("reduced", "margin", "verdict"),
    [(0.3, 0.05, "as good"), (0.6, 0.02, "worse"), (0.3, 0.001, "undecided")],
)
def test_the_verdict_follows_from_the_interval_and_the_margin(reduced: float, margin: float, verdict: str) -> None:
    found = _compare(0.3, reduced, margin)
    assert found.verdict == verdict
    assert found.interval[0] < found.gain < found.interval[1] and found.rows == 3_000


def test_an_equal_model_is_as_good_by_any_margin() -> None:
    scores = [_scores(0.3, 1)]
    found = _compare_scores(BINARY, AUC, np.arange(3_000) % 2, scores, scores, margin=1e-9, seed=7)
    assert (found.gain, found.interval, found.verdict) == (0, (0, 0), "as good")


def test_a_lower_error_is_a_gain() -> None:
    labels = np.random.default_rng(0).normal(size=500)
    found = _compare_scores(REGRESSION, RMSE, labels, [labels + 1.0], [labels + 0.5], margin=0.1, seed=7)
    assert found.gain == pytest.approx(0.5) and found.verdict == "as good"


def test_models_that_differ_by_seed_widen_the_interval() -> None:
    labels = np.random.default_rng(0).normal(size=500)
    steady = _compare_scores(REGRESSION, RMSE, labels, [labels + 1.0] * 3, [labels + 1.0] * 3, margin=0.1, seed=7)
    spread = [labels + error for error in (0.9, 1.0, 1.1)]
    varied = _compare_scores(REGRESSION, RMSE, labels, [labels + 1.0] * 3, spread, margin=0.1, seed=7)
    assert steady.verdict == "as good" and varied.verdict == "undecided"
    assert varied.gain == pytest.approx(0.0) and varied.interval[1] - varied.interval[0] > 0.4


def test_the_intervals_hold_the_true_difference_about_as_often_as_they_say() -> None:
    """Rows and seeds are drawn 200 times; both models are equally good."""
    held = 0
    for number in range(200):
        random = np.random.default_rng(number)
        labels = random.normal(size=300)
        by_model = [[labels + random.normal(0, 1 + random.normal(0, 0.05), 300) for _ in range(3)] for _ in range(2)]
        low, high = _compare_scores(REGRESSION, RMSE, labels, *by_model, margin=0.1, seed=7).interval
        held += low <= 0 <= high
    assert 180 <= held <= 200


def test_the_margin_is_a_share_of_what_the_model_gains_over_none() -> None:
    assert default_margin(AUC, [0.9, 0.8], 0.5) == pytest.approx(0.02 * 0.35)
    assert default_margin(RMSE, [2.0], 3.0) == pytest.approx(0.02)
    assert default_margin(RMSE, [3.5], 3.0) == 0


def test_each_model_is_measured_by_its_own_threshold() -> None:
    labels, scores = np.arange(1_000) % 2, 0.2 + 0.1 * (np.arange(1_000) % 2)
    f1 = next(metric for metric in BINARY.metrics if metric.name == "f1")
    low, default = ModelScores(BINARY.with_threshold(0.25), scores), ModelScores(BINARY, scores)
    found = compare_models(f1, labels, [low], [default], margin=0.1, seed=7)
    assert (found.whole, found.reduced, found.verdict) == ([1.0], [0.0], "worse")
