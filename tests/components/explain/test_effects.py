"""Effective and unneeded features by two methods: against models whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components._core.checks import Outcome
from components._core.report.page import Page
from components._core.types.artifact_files import IMPORTANCES
from components._core.types.tasks import TASKS
from components._frameworks.contract import Model
from components._frameworks.permutation import Importance
from components._frameworks.sampled_rows import Sample, draw_sample
from components.explain.effects import Effect, exclude_line, find_effects, find_unneeded
from components.explain.loss_shapley import loss_reductions
from tests.components.tiny_models import tiny_project

Make = Callable[..., Path]
Load = Callable[..., Model]
RANDOM = np.random.default_rng(3)
HELPS, NOISE = RANDOM.normal(0.3, 1, 400), RANDOM.normal(0, 1, 400) - 0.05


def _effect(drop: float, spread: float, reduction: np.ndarray, rows: int = 1_000) -> Effect:
    return find_effects({"x": Importance(drop, drop, drop, True, spread)}, {"x": reduction}, rows, 5)["x"]


def test_a_feature_is_judged_by_both_methods() -> None:
    assert _effect(0.02, 0.004, HELPS).answer == "effective"
    assert _effect(0.008, 0.004, NOISE).answer == "unneeded"
    assert _effect(0.02, 0.004, NOISE).answer == _effect(0.008, 0.004, HELPS).answer == "disputed"


def test_a_feature_that_changes_nothing_is_unneeded() -> None:
    assert _effect(0.0, 0.0, np.zeros(400)).answer == "unneeded"


def test_a_feature_without_use_is_rarely_called_effective_by_shuffling() -> None:
    """The limit holds what it says: the real metric of a useless feature is a draw like the shuffled ones."""
    draws = np.random.default_rng(0).normal(size=(4_000, 6))
    drops = draws[:, :1] - draws[:, 1:]
    called = [_effect(float(row.mean()), float(row.std(ddof=1)), np.zeros(400)).by_permutation for row in drops]
    assert 0.03 < np.mean(called) < 0.07


@pytest.mark.parametrize(("rows", "drop"), [(199, 0.1), (1_000, float("nan"))])
def test_too_few_rows_and_a_metric_that_is_not_defined_are_not_judged(rows: int, drop: float) -> None:
    assert find_effects({"x": Importance(drop, drop, drop, True, 0.0)}, {"x": HELPS}, rows, 5) == {}


def test_the_least_important_unneeded_feature_comes_first() -> None:
    unneeded, effective = _effect(0.0, 0.0, NOISE), _effect(0.02, 0.0, HELPS)
    assert find_unneeded({"a": effective, "b": unneeded, "c": unneeded}) == ["c", "b"]


def test_the_proposed_line_keeps_the_columns_that_are_left_out_already_and_quotes_names() -> None:
    assert exclude_line(["id"], ["a: b", "몸무게"]) == 'exclude: ["id", "a: b", "몸무게"]'


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_the_loss_falls_by_what_decides_and_not_by_noise(loaded: Load, examples: Make, task: str) -> None:
    sample = draw_sample(loaded(task).signature, examples(task), "y", seed=7, repeats=5)
    found = {name: values.mean() for name, values in loss_reductions(TASKS[task], loaded(task), sample, 7).items()}
    assert found["delay"] > found["carrier"] > found["month"] > 0
    assert found["noise"] == 0


class _Either:
    """A model whose two inputs say the same: it goes by the second where the first is shuffled."""

    def __init__(self, signature: object) -> None:
        self.signature = signature

    def predict(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"prediction": np.maximum(arrays["a"], arrays["b"])}


def test_features_that_say_the_same_share_the_reduction_of_the_loss() -> None:
    from components._core.types.signature import Feature, Signature

    truth = (np.arange(2_000) % 2).astype(np.float32)
    features = tuple(Feature(name, "float32", False) for name in ("a", "b", "c"))
    signature = Signature("regression", features, TASKS["regression"].output_types, ())
    noise = np.random.default_rng(0).normal(size=2_000).astype(np.float32)
    sample = Sample({"a": truth, "b": truth, "c": noise}, truth, 2_000)
    found = loss_reductions(TASKS["regression"], _Either(signature), sample, 7)  # type: ignore[arg-type]
    assert found["a"].mean() == pytest.approx(found["b"].mean(), abs=0.05)
    assert found["a"].mean() > 0.15 and not found["c"].any()


def test_an_unneeded_feature_is_proposed_in_the_artifact_and_on_the_page(
    explained: Callable[..., Outcome], tmp_path: Path
) -> None:
    check = next(check for check in explained(tiny_project()).checks if check.name == "effective features")
    assert check.status == "pass" and check.reason.endswith("neither finds that noise helps")
    found = json.loads((tmp_path / "explanation" / IMPORTANCES).read_text())
    assert (found["unneeded"], found["proposal"]) == (["noise"], 'exclude: ["noise"]')
    assert found["features"]["delay"]["effect"] == "effective" and 0 < found["effect_agreement"] <= 1
    blocks = {block.title: block.content for block in Page.load(tmp_path / "explanation").blocks}
    assert blocks["Proposed for project.yaml"] == 'data:\n  exclude: ["noise"]'
    assert ["noise", "unneeded"] in [[row[0], row[-1]] for row in blocks["Effective and unneeded features"]["rows"]]
