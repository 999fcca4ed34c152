"""A task that is added to the table is evaluated and shown without another change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.report.page import Page
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components.evaluate.evaluate import Judged
from components.evaluate.evaluation_figures import FIGURES
from components.validate.label_findings import check_label
from tests.components.forecast_task import FORECAST
from tests.components.tiny_models import tiny_project


@pytest.fixture(autouse=True)
def forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the new task to the table, as its line there would."""
    monkeypatch.setitem(TASKS, FORECAST.name, FORECAST)


@pytest.mark.usefixtures("every_figure")
def test_a_new_task_is_judged_by_its_own_metric_and_shown_with_its_own_figures(
    judged: Callable[..., Judged], tmp_path: Path
) -> None:
    project = tiny_project(FORECAST.name, slices=["carrier"], thresholds={"miss_rate": {"max": 0.2}})
    found = judged(project)
    assert found.outcome.reason.startswith("miss_rate 0.") and found.confusion is None and found.roc is None
    assert {"miss_rate", "rmse"} <= set(found.outcome.metrics)
    shown = [block.title for block in Page.load(tmp_path / "evaluation").blocks if block.kind == "figure"]
    assert shown == ["Residuals", "Miss rate by carrier"]


def test_the_label_rules_of_a_new_task_are_those_that_it_brings() -> None:
    project = tiny_project(FORECAST.name)
    none: dict[str, Counter[str]] = {"train": Counter(), "eval": Counter(), "test": Counter()}
    assert "is text" in check_label(project, "string", none)[0].message and not check_label(project, "float32", none)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_figure_that_a_task_lists_can_be_drawn(task: Task) -> None:
    assert set(task.figures) <= set(FIGURES)
