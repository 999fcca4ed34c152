"""The metrics compared with scikit-learn, or with their definition if scikit-learn lacks them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from components._core.types.metrics import binary, multiclass, ranking
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task


def _binary(ties: bool, rows: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = (random.random(rows) < 0.3).astype(np.int64)
    scores = 1 / (1 + np.exp(-(random.normal(size=rows) + labels - 0.5)))
    return labels, (np.round(scores, 1) if ties else scores).astype(np.float32)


@pytest.mark.parametrize("ties", [False, True])
def test_binary_metrics_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = _binary(ties)
    called = (scores >= 0.5).astype(int)
    tn, fp, fn, tp = reference.confusion_matrix(labels, called).ravel()
    expected = {
        "auc": reference.roc_auc_score(labels, scores),
        "pr_auc": reference.average_precision_score(labels, scores),
        "accuracy": reference.accuracy_score(labels, called),
        "precision": reference.precision_score(labels, called),
        "recall": reference.recall_score(labels, called),
        "specificity": reference.recall_score(labels, called, pos_label=0),
        "npv": reference.precision_score(labels, called, pos_label=0),
        "f1": reference.f1_score(labels, called),
        "fpr": fp / (fp + tn),
        "log_loss": reference.log_loss(labels, scores),
        "brier": reference.brier_score_loss(labels, scores),
    }
    measured = TASKS["binary_classification"].measure(labels, scores)
    assert {name: measured[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert measured["recall"] == pytest.approx(tp / (tp + fn))


def test_calibration_error_is_the_mean_gap_weighted_by_rows() -> None:
    labels, scores = np.array([0, 1, 1, 1]), np.array([0.05, 0.05, 0.95, 0.95])
    assert TASKS["binary_classification"].measure(labels, scores)["ece"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)


def test_a_quotient_of_nothing_is_zero_as_in_scikit_learn() -> None:
    labels, scores = np.array([0, 1, 0]), np.array([0.1, 0.2, 0.3])
    measured = TASKS["binary_classification"].measure(labels, scores)
    assert measured["precision"] == reference.precision_score(labels, scores >= 0.5, zero_division=0) == 0
    assert measured["f1"] == 0


def test_auc_of_one_class_is_undefined() -> None:
    measured = TASKS["binary_classification"].measure(np.zeros(3, dtype=int), np.array([0.1, 0.2, 0.3]))
    assert np.isnan(measured["auc"]) and np.isnan(measured["pr_auc"])
    assert measured["accuracy"] == 1


@pytest.mark.parametrize("labels", [np.array([0, 1, 2, 2, 1, 0] * 50), np.array([0, 1, 1, 1, 1, 0] * 50)])
def test_multiclass_metrics_are_those_of_scikit_learn(labels: np.ndarray) -> None:
    random = np.random.default_rng(1)
    scores = random.random((len(labels), 3)) + np.eye(3)[labels] * 0.4
    scores /= scores.sum(axis=1, keepdims=True)
    called = scores.argmax(axis=1)
    measured = TASKS["multiclass_classification"].measure(labels, scores)
    for average in ("macro", "weighted"):
        expected = reference.precision_recall_fscore_support(
            labels, called, labels=[0, 1, 2], average=average, zero_division=0
        )
        lines = [measured[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
        assert lines == pytest.approx(expected[:3])
    assert measured["accuracy"] == pytest.approx(reference.accuracy_score(labels, called))
    assert measured["log_loss"] == pytest.approx(reference.log_loss(labels, scores, labels=[0, 1, 2]), rel=1e-6)
    present = np.unique(labels)
    one_against_rest = [reference.roc_auc_score(labels == index, scores[:, index]) for index in present]
    assert measured["auc"] == pytest.approx(np.mean(one_against_rest))


def test_the_confusion_matrix_has_actual_classes_down_and_predicted_across() -> None:
    assert binary.confusion(np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.9, 0.8, 0.9, 0.1])) == [[1, 1], [1, 2]]
    assert multiclass.confusion(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])) == [[1, 0], [1, 1]]


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(5)
    labels = random.normal(1e6, 2, size=500)
    scores = labels + random.normal(size=500)
    measured = TASKS["regression"].measure(labels, scores)
    expected = {
        "mae": reference.mean_absolute_error(labels, scores),
        "mse": reference.mean_squared_error(labels, scores),
        "rmse": reference.root_mean_squared_error(labels, scores),
        "r2": reference.r2_score(labels, scores),
    }
    assert measured == pytest.approx(expected)


@pytest.mark.parametrize("predicted", [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
def test_r2_on_a_constant_target_is_that_of_scikit_learn(predicted: list[float]) -> None:
    labels, scores = np.full(3, 2.0), np.array(predicted)
    assert TASKS["regression"].measure(labels, scores)["r2"] == reference.r2_score(labels, scores)


@pytest.mark.parametrize("ties", [False, True])
def test_a_thinned_roc_curve_lies_on_the_whole_one_and_has_finite_thresholds(ties: bool) -> None:
    labels, scores = _binary(ties)
    curve = ranking.roc_curve(labels, scores)
    assert curve is not None
    assert len(curve.x) <= 200 and np.isfinite(curve.thresholds).all()
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    fpr, tpr, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
    whole = set(zip(np.round(fpr, 9), np.round(tpr, 9), strict=True))
    assert set(zip(np.round(curve.x, 9), np.round(curve.y, 9), strict=True)) <= whole
    assert reference.auc(curve.x, curve.y) == pytest.approx(reference.roc_auc_score(labels, scores), abs=2e-3)


def test_the_best_threshold_has_the_highest_f1_of_all() -> None:
    labels, scores = _binary(ties=True)
    of_threshold = {float(cut): reference.f1_score(labels, scores >= cut) for cut in np.unique(scores)}
    assert of_threshold[ranking.best_f1_threshold(labels, scores)] == max(of_threshold.values())


def test_gain_is_positive_for_the_better_value_whichever_way_the_metric_points() -> None:
    assert TASKS["binary_classification"].metric("auc").gain(0.9, 0.8) > 0
    assert TASKS["regression"].metric("rmse").gain(0.9, 0.8) < 0


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_metric_is_measured_under_the_name_that_the_task_lists(task: Task) -> None:
    labels, scores = _binary(ties=False, rows=50)
    of_classes = np.stack([1 - scores, scores], axis=1)
    sums = task.formulas.exact_sums(labels, of_classes if task.scores_by_class else scores)
    assert set(task.formulas.from_sums(sums)) == {metric.name for metric in task.metrics}
