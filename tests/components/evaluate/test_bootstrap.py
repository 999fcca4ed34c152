"""Intervals compared with the plain bootstrap, row by row, with scikit-learn's metrics."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components._core.types.metrics import bootstrap
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import AUC


def _rows(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.25).astype(np.int64)
    logit = random.normal(size=rows) + 1.5 * labels - 1
    return labels, _probability(logit), _probability(logit + random.normal(0, 0.4, rows))


def _probability(logit: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def test_the_interval_of_a_gain_is_that_of_the_plain_paired_bootstrap() -> None:
    labels, ours, theirs = _rows(2_000)
    random = np.random.default_rng(1)
    gains = []
    for _ in range(200):
        drawn = random.integers(0, 2_000, 2_000)
        gains.append(roc_auc_score(labels[drawn], ours[drawn]) - roc_auc_score(labels[drawn], theirs[drawn]))
    low, high = np.quantile(gains, [0.025, 0.975])
    found = bootstrap.paired_interval(TASKS["binary_classification"], AUC, labels, ours, theirs, seed=7)
    assert found == pytest.approx((low, high), abs=0.15 * (high - low))


def test_blocks_give_the_spread_that_rows_give() -> None:
    labels, scores, _ = _rows(4_000)
    right = (scores >= 0.5) == labels
    expected = 2 * 1.96 * right.std() / np.sqrt(len(right))
    low, high = bootstrap.intervals(TASKS["binary_classification"], labels, scores, seed=7, blocks=500)["accuracy"]
    assert high - low == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_every_metric_lies_in_its_interval(task: str) -> None:
    labels, scores, other = _rows(800)
    if task == "multiclass_classification":
        scores = np.stack([1 - scores, scores, other], axis=1) / (1 + other)[:, None]
    exact = TASKS[task].measure(labels, scores)
    for name, (low, high) in bootstrap.intervals(TASKS[task], labels, scores, seed=7).items():
        # the calibration error is biased upwards by resampling: noise never cancels in a mean of absolute gaps
        assert high > low and (name == "ece" or low <= exact[name] <= high), name


@pytest.mark.parametrize("blocks", [250, 1_000])
def test_intervals_lie_around_the_exact_value_and_not_around_that_of_binned_scores(blocks: int) -> None:
    labels, scores, _ = _rows(20_000)
    exact = TASKS["binary_classification"].measure(labels, scores)
    found = bootstrap.intervals(TASKS["binary_classification"], labels, scores, seed=7, blocks=blocks)
    for name in ("auc", "pr_auc", "log_loss", "f1"):
        low, high = found[name]
        assert (low + high) / 2 == pytest.approx(exact[name], abs=0.1 * (high - low)), name


def test_a_model_against_itself_gains_exactly_nothing() -> None:
    labels, scores, _ = _rows(500)
    assert bootstrap.paired_interval(TASKS["binary_classification"], AUC, labels, scores, scores, seed=7) == (0, 0)


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    labels, scores, _ = _rows(500)
    first, again, other = (
        bootstrap.intervals(TASKS["binary_classification"], labels, scores, seed=seed)["auc"] for seed in (7, 7, 8)
    )
    assert first == again != other


def test_one_row_has_an_interval_that_says_nothing() -> None:
    found = bootstrap.intervals(TASKS["binary_classification"], np.array([1]), np.array([0.7]), seed=7)
    assert np.isnan(found["auc"]).all() and found["accuracy"] == (1, 1)
