"""Complete explanations of tiny models with known truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.checks import Outcome
from components._core.report.page import Page
from components._core.types.artifact_files import IMPORTANCES, OUTCOME, PAGE
from components._core.types.tasks import TASKS
from tests.components.forecast_task import FORECAST
from tests.components.tiny_models import tiny_project

Explain = Callable[..., Outcome]


def test_the_features_that_decide_come_first_and_the_unused_one_is_reported(explained: Explain, tmp_path: Path) -> None:
    outcome = explained()
    found = json.loads((tmp_path / "explanation" / IMPORTANCES).read_text())["features"]
    assert max(found, key=lambda name: found[name]["importance"]) == "delay"
    assert found["delay"]["importance"] > found["carrier"]["importance"] > found["month"]["importance"] > 0
    assert found["noise"]["importance"] == 0 and not found["noise"]["reaches_output"]
    unused = next(check for check in outcome.checks if check.name == "unused features")
    assert unused.status == "warn" and "noise: nothing of it reaches the output" in unused.reason
    assert next(check for check in outcome.checks if check.name == "completeness").status == "pass"
    assert outcome.metrics["agreement_shapley_values"] > 0.7


@pytest.mark.usefixtures("every_figure")
def test_the_page_shows_importances_dependence_and_single_rows(explained: Explain, tmp_path: Path) -> None:
    explained()
    titles = [block.title for block in Page.load(tmp_path / "explanation").blocks]
    assert {"Permutation importance", "Features", "The score by delay", "One row: highest score"} <= set(titles)
    html = (tmp_path / "explanation.html").read_text()
    assert "Texts have no slope (carrier)" in html and "most uncertain score" in html


@pytest.mark.usefixtures("every_figure")
def test_a_task_that_is_added_to_the_table_is_explained_by_its_own_metric(
    explained: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, FORECAST.name, FORECAST)
    explained(tiny_project(FORECAST.name))
    assert json.loads((tmp_path / "explanation" / IMPORTANCES).read_text())["metric"] == "miss_rate"
    html = (tmp_path / "explanation.html").read_text()
    assert "how much miss_rate rises when the feature is shuffled" in html and "mean predicted y" in html


@pytest.mark.usefixtures("every_figure")
def test_a_second_explanation_is_the_same_to_the_byte(explained: Explain, tmp_path: Path) -> None:
    explained(to="once")
    explained(to="again")
    for name in (OUTCOME, PAGE, IMPORTANCES):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.usefixtures("every_figure")
@pytest.mark.parametrize(
    ("task", "message"),
    [("multiclass_classification", "mean probability of"), ("regression", "largest error")],
)
def test_other_tasks_are_explained_too(explained: Explain, tmp_path: Path, task: str, message: str) -> None:
    outcome = explained(tiny_project(task))
    assert outcome.verdict == "warn" and outcome.metrics["completeness_error"] < 0.1
    assert message in (tmp_path / "explanation.html").read_text()


def test_a_blocked_model_is_not_explained_and_the_reason_is_passed_on(explained: Explain, tmp_path: Path) -> None:
    outcome = explained(judged=Outcome("blocked", "auc is 0.61, must be at least 0.85"))
    assert outcome.verdict == "skipped" and "0.61" in outcome.reason
    assert {path.name for path in (tmp_path / "explanation").iterdir()} == {OUTCOME, PAGE}


def test_skipping_needs_no_tensorflow() -> None:
    message = "import sys, components.explain.explain; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", message], check=False).returncode == 0
