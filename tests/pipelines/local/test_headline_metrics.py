"""The metrics that a person reads of a run, in their order."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.local.headline_metrics import list_headlines

ALL = dict.fromkeys(("accuracy", "auc", "ece", "f1", "log_loss", "pr_auc", "threshold"), 0.5)


def of(task: str, metric: str = "") -> dict[str, Any]:
    return {"project": {"task": task, **({"gates": {"model": {"metric": metric}}} if metric else {})}}


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        (of("binary_classification"), ["auc", "accuracy", "log_loss", "f1"]),
        (of("binary_classification", "f1"), ["f1", "auc", "accuracy", "log_loss"]),
        (of("binary_classification", "pr_auc"), ["pr_auc", "auc", "accuracy", "log_loss", "f1"]),
        (of("multiclass_classification"), ["accuracy", "auc", "log_loss"]),
        ({}, ["auc", "accuracy", "log_loss", "f1"]),  # the record of an earlier Naru
    ],
)
def test_the_metric_that_decides_stands_first(parameters: dict[str, Any], names: list[str]) -> None:
    assert list_headlines(parameters, ALL) == names


def test_metrics_that_a_run_does_not_have_are_left_out() -> None:
    assert list_headlines(of("regression"), {"mae": 1.0, "rmse": 2.0}) == ["rmse", "mae"]
    assert list_headlines(of("regression"), {}) == []
