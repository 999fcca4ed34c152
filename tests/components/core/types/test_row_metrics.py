"""Metrics that are means over rows: the mean of the rows' values is the metric of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components._core.types.tasks import TASKS
from components._core.types.tasks.row_metrics import find_spread, list_row_metrics, row_values

RANDOM = np.random.default_rng(4)
ROWS = {
    "binary_classification": (RANDOM.integers(0, 2, 500), RANDOM.random(500)),
    "multiclass_classification": (RANDOM.integers(0, 3, 500), RANDOM.dirichlet((1, 1, 1), 500)),
    "regression": (RANDOM.normal(3, 2, 500), RANDOM.normal(3, 2, 500)),
}


@pytest.mark.parametrize(("task", "metric"), [(name, each) for name in TASKS for each in list_row_metrics(TASKS[name])])
def test_the_mean_of_the_rows_is_the_metric(task: str, metric: str) -> None:
    labels, scores = ROWS[task]
    values = row_values(TASKS[task], metric, labels, scores)
    assert values.shape == (500,)
    assert values.mean() == pytest.approx(TASKS[task].measure(labels, scores)[metric], rel=1e-5)


def test_the_usual_metrics_come_first_and_those_of_all_rows_together_are_not_listed() -> None:
    listed = {name: list_row_metrics(task) for name, task in TASKS.items()}
    assert listed["binary_classification"] == ["accuracy", "log_loss", "brier"]
    assert listed["regression"] == ["mae", "mse"]


@pytest.mark.parametrize(("task", "metric"), [("binary_classification", "accuracy"), ("regression", "mae")])
def test_offline_metrics_say_how_far_the_rows_spread(task: str, metric: str) -> None:
    labels, scores = ROWS[task]
    measured = TASKS[task].measure(labels, scores)
    expected = row_values(TASKS[task], metric, labels, scores).std()
    assert find_spread(metric, measured) == pytest.approx(expected, rel=1e-6)


def test_what_offline_metrics_do_not_say_is_not_guessed() -> None:
    assert find_spread("log_loss", {"log_loss": 0.4}) is None
    assert find_spread("mae", {"mae": 1.0}) is None
    assert find_spread("accuracy", {"accuracy": 1.0}) is None, "a perfect model has no errors to count"
    assert find_spread("accuracy", {"accuracy": 0.9}) == pytest.approx(math.sqrt(0.09))
