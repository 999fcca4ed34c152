"""A threshold by f1, balanced accuracy or accuracy, compared with every threshold that there is and scikit-learn's metrics."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from components._core.types.metrics import binary
from components._core.types.metrics.threshold_choice import choose_threshold
from components._core.types.tasks import TASKS

METRICS = {
    "f1": reference.f1_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "accuracy": reference.accuracy_score,
}


def _rare(seed: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which few are positive, and scores that know a little of them, with ties."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.05).astype(np.int64)
    scores = np.round(np.clip(random.normal(0.05, 0.04, rows) + 0.05 * labels, 0, 1), 2).astype(np.float32)
    return labels, scores


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_chosen_threshold_is_the_best_of_all_that_call_some_rows_positive(metric: str, seed: int) -> None:
    labels, scores = _rare(seed)
    every = [METRICS[metric](labels, scores >= score) for score in np.unique(scores)[1:]]
    chosen = choose_threshold(labels, scores, metric)
    assert chosen is not None
    assert chosen.value == pytest.approx(max(every))
    assert METRICS[metric](labels, scores.astype(float) >= chosen.threshold) == pytest.approx(chosen.value)


def test_no_score_lies_near_the_threshold() -> None:
    chosen = choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.9]), "f1")
    assert chosen is not None and chosen.threshold == pytest.approx(0.4) and chosen.value == 1


def test_scores_next_to_each_other_are_still_told_apart() -> None:
    low = np.float32(0.3)
    scores = np.array([low, np.nextafter(low, np.float32(1))], np.float32)
    chosen = choose_threshold(np.array([0, 1]), scores, "f1")
    assert chosen is not None and binary.call_positive(scores, chosen.threshold).tolist() == [False, True]


@pytest.mark.parametrize(
    ("labels", "scores"), [([0, 0], [0.1, 0.2]), ([1, 1], [0.1, 0.2]), ([0, 1], [0.3, 0.3])], ids=str
)
def test_rows_that_cannot_choose_give_none(labels: list[int], scores: list[float]) -> None:
    assert choose_threshold(np.array(labels), np.array(scores), "f1") is None


def test_metrics_that_need_a_decision_follow_the_threshold_and_the_others_stay() -> None:
    labels, scores = _rare(4)
    default, lower = TASKS["binary_classification"], TASKS["binary_classification"].with_threshold(0.08)
    before, after = default.measure(labels, scores), lower.measure(labels, scores)
    called = scores.astype(float) >= 0.08
    assert before["recall"] == 0
    for name in ("precision", "recall", "f1", "accuracy"):
        assert after[name] == pytest.approx(getattr(reference, f"{name}_score")(labels, called))
    for name in ("auc", "pr_auc", "log_loss", "brier", "ece"):
        assert after[name] == before[name]
    assert lower.confusion(labels, scores) == reference.confusion_matrix(labels, called).tolist()
    assert lower.predicted_classes(scores).tolist() == called.astype(int).tolist()


def test_other_tasks_have_no_threshold() -> None:
    for name in ("multiclass_classification", "regression"):
        assert TASKS[name].with_threshold(0.1) is TASKS[name] and not TASKS[name].threshold_metrics
    assert TASKS["binary_classification"].with_threshold(None) is TASKS["binary_classification"]
