"""The model beside the simpler ones that train fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components._core.files import write_json
from components._core.report.page import Page
from components._core.types.artifact_files import BASELINE_NOTES, BASELINE_SCORES, LEADERBOARD
from components.evaluate.baselines import Baseline
from components.evaluate.simpler_models import compare_simpler_models
from pipelines.local.leaderboard_lines import describe_leaderboard
from tests.components.tiny_models import tiny_project

RANDOM = np.random.default_rng(5)
LABELS = RANDOM.integers(0, 2, 2_000)
CONSTANT = Baseline("the share of 1", np.asarray(0.5))


def scores(noise: float) -> np.ndarray:
    """Scores of the labels, the worse the more noise there is."""
    return 1 / (1 + np.exp(-(2.0 * LABELS - 1 + RANDOM.normal(0, noise, len(LABELS)))))


def history(folder: Path, missing: dict[str, str] | None = None, **models: np.ndarray) -> Path:
    np.savez(folder / BASELINE_SCORES, labels=LABELS, **models)
    write_json(folder / BASELINE_NOTES, {"rows": 50_000, "missing": missing or {}})
    return folder


def test_a_model_that_is_better_has_a_gain_over_each_and_they_are_listed_the_best_first(tmp_path: Path) -> None:
    models = {"project": scores(1.0), "linear": scores(4.0), "boosted": scores(2.0)}
    found = compare_simpler_models(tiny_project(), history(tmp_path, **models), CONSTANT)
    assert found is not None and [each.kind for each in found.models] == ["project", "boosted", "linear", "constant"]
    for each in found.models:
        given = models.get(each.kind, np.full(len(LABELS), 0.5))
        assert each.value == pytest.approx(roc_auc_score(LABELS, given), abs=1e-6)
        assert each.gain == pytest.approx(found.models[0].value - each.value, abs=1e-9)
        assert each.low <= each.gain <= each.high
    assert found.why == "" and found.not_worse == []
    write_json(tmp_path / LEADERBOARD, found.to_json())
    lines = describe_leaderboard(tmp_path)
    assert lines[0] == "kinds of model by auc on 2,000 eval rows" and lines[1].startswith("* project ")
    assert "worse by" in lines[2] and lines[4].startswith("  constant")


def test_a_simpler_model_that_is_not_clearly_worse_is_named_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    own = scores(2.0)
    near = np.clip(own + RANDOM.normal(0, 1e-4, len(own)), 0, 1)
    found = compare_simpler_models(
        tiny_project(), history(tmp_path, project=own, linear=near, boosted=scores(9.0)), CONSTANT
    )
    assert found is not None and [each.kind for each in found.not_worse] == ["linear"]
    said = "not clearly worse: linear model (of 50,000 training rows); tune.models finds the best kind"
    assert found.why == said
    page = Page("evaluate", "Evaluation")
    found.show(page)
    assert page.blocks[0].title == "Beside simpler models" and said[1:] in page.blocks[0].note


def test_simpler_models_that_are_better_are_said_to_be_so(tmp_path: Path) -> None:
    models = {"project": scores(4.0), "linear": scores(2.0), "boosted": scores(1.0)}
    found = compare_simpler_models(tiny_project(), history(tmp_path, **models), CONSTANT)
    assert found is not None and found.why.startswith(
        "better than the project's model: boosted trees and linear model ("
    )


def test_a_baseline_that_could_not_be_fitted_is_named_with_the_reason(tmp_path: Path) -> None:
    given = history(tmp_path, {"linear": "the pipeline cannot be fitted"}, project=scores(1.0), boosted=scores(2.0))
    found = compare_simpler_models(tiny_project(), given, CONSTANT)
    assert found is not None and {each.kind for each in found.models} == {"project", "boosted", "constant"}
    page = Page("evaluate", "Evaluation")
    found.show(page)
    assert "linear: the pipeline cannot be fitted." in page.blocks[0].note


def test_the_metric_of_the_project_decides(tmp_path: Path) -> None:
    given = history(tmp_path, project=scores(1.0), linear=scores(4.0))
    found = compare_simpler_models(tiny_project(metric="log_loss"), given, CONSTANT)
    assert found is not None and found.to_json()["metric"] == "log_loss" and found.models[0].kind == "project"


def test_without_baselines_or_a_model_that_can_be_judged_nothing_is_compared(tmp_path: Path) -> None:
    assert compare_simpler_models(tiny_project(), tmp_path, CONSTANT) is None
    assert compare_simpler_models(tiny_project(), None, CONSTANT) is None
    assert compare_simpler_models(tiny_project(), history(tmp_path, project=scores(1.0)), None) is None
