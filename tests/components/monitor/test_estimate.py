"""The metric that is estimated from scores alone: right when scores mean what they meant, and blind when they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import accuracy_score, roc_auc_score

from components._core.monitoring.feature_bins import number_bins
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.reliability import Reliability, measure_reliability
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import ACCURACY, AUC
from components.monitor.estimate import describe_estimate, estimate_metric

BINARY = TASKS["binary_classification"]


def answers(rows: int, seed: int, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of a model that is right about its scores; the wider they are spread, the easier the rows."""
    random = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-random.normal(-0.5, spread, rows)))
    return scores, (random.random(rows) < scores).astype(np.int64)


SCORES, LABELS = answers(20_000, 1)
BINS = number_bins(SCORES, "float32", 20)
RELIABILITY = measure_reliability(BINS, SCORES, LABELS)
OFFLINE = {"auc": roc_auc_score(LABELS, SCORES), "accuracy": accuracy_score(LABELS, SCORES >= 0.5)}


def count(scores: np.ndarray) -> np.ndarray:
    return np.bincount(BINS.places_of_numbers(scores), minlength=BINS.size)


@pytest.mark.parametrize("spread", [0.8, 1.5, 2.5])
def test_rows_that_became_harder_or_easier_are_seen(spread: float):
    scores, labels = answers(20_000, 2, spread)
    real = {"auc": roc_auc_score(labels, scores), "accuracy": accuracy_score(labels, scores >= 0.5)}
    for metric in (AUC, ACCURACY):
        found = estimate_metric(RELIABILITY, count(scores), BINARY, metric, OFFLINE[metric.name], 50)
        assert found is not None and found.measured == pytest.approx(real[metric.name], abs=0.02)
        if spread != 1.5:  # and nearer than the offline metric is
            assert abs(found.measured - real[metric.name]) < abs(OFFLINE[metric.name] - real[metric.name]) / 3


def test_equal_rows_with_other_labels_are_not_seen():
    turned = np.where(np.random.default_rng(3).random(len(LABELS)) < 0.2, 1 - LABELS, LABELS)
    found = estimate_metric(RELIABILITY, count(SCORES), BINARY, AUC, OFFLINE["auc"], 50)
    assert found is not None and found.measured == pytest.approx(OFFLINE["auc"], abs=1e-9)
    assert roc_auc_score(turned, SCORES) < found.measured - 0.1


def test_it_is_not_estimated_from_few_answers_nor_without_an_offline_metric():
    few = count(SCORES[:49])
    assert estimate_metric(RELIABILITY, few, BINARY, AUC, 0.8, 50) is None
    assert estimate_metric(RELIABILITY, count(SCORES), BINARY, AUC, None, 50) is None
    found = estimate_metric(RELIABILITY, count(SCORES), BINARY, AUC, 0.8, 50)
    assert found is not None and "auc about 0.8, 0.8 offline; not judged" in describe_estimate(found)


def test_rates_are_those_of_isotonic_regression():
    random = np.random.default_rng(6)
    rows = random.integers(1, 50, 12)
    positives = random.binomial(rows, np.linspace(0.2, 0.7, 12))
    expected = IsotonicRegression().fit_transform(np.arange(12), positives / rows, sample_weight=rows)
    assert Reliability(rows, positives, np.zeros(12)).rates() == pytest.approx(expected)


def test_cells_without_rows_have_a_rate_between_their_neighbours():
    rates = Reliability(np.array([0, 10, 0, 10]), np.array([0, 2, 0, 8]), np.zeros(4)).rates()
    assert rates[1] == 0.2 and rates[3] == 0.8 and 0.2 <= rates[2] <= 0.8 and rates[0] <= 0.2


def test_a_reference_keeps_it(tmp_path: Path):
    reference = MonitoringReference("rows", (), {}, reliability={"probability": RELIABILITY})
    reference.save(tmp_path / "r.json")
    found = MonitoringReference.load(tmp_path / "r.json").reliability["probability"]
    assert (
        found.rows.tolist() == RELIABILITY.rows.tolist() and found.positives.tolist() == RELIABILITY.positives.tolist()
    )
    assert found.means == pytest.approx(RELIABILITY.means, abs=1e-8)
