"""The stages that have to do with models, with a scikit-learn pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, ModelError
from components._core.files import read_json
from components._core.types.artifact_files import (
    BASELINE_NOTES,
    BASELINE_SCORES,
    HYPERPARAMETERS,
    IMPORTANCES,
    LEADERBOARD,
    ONNX_MODEL,
    OUTCOME,
    TRIALS,
)
from components._frameworks.onnx_models import parity
from components._frameworks.table import load_model, missing_model_files
from components.evaluate.evaluate import evaluate_model
from components.explain.explain import explain_model
from components.tune.tune import tune_hyperparameters
from tests.components.small_penguins import Penguins, make_penguins


@pytest.mark.parametrize("task", ["binary_classification", "regression"])
def test_other_tasks_are_trained_and_answered(task: str, tmp_path: Path) -> None:
    penguins = make_penguins(tmp_path, task)
    model = load_model(penguins.train())
    (name,) = model.signature.outputs
    rows = {
        item.name: np.array(["" if item.type.is_text else 1]).astype(item.type.numpy) for item in model.signature.inputs
    }
    assert model.predict(rows)[name].shape == (1,)
    history = read_json(tmp_path / "history of model" / "history.json")
    assert len(history["epochs"]) == 1 and {"loss", "eval_loss"} <= set(history["epochs"][0])


def test_training_again_gives_the_same_bytes(penguins: Penguins, model: Path) -> None:
    again = penguins.train("again")
    for name in (ONNX_MODEL, "signature.json", "sha256.json"):
        assert (again / name).read_bytes() == (model / name).read_bytes()
    assert not missing_model_files(str(model))


CACHED = """
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline


def build_model(hyperparameters):
    numbers = ColumnTransformer([("numbers", SimpleImputer(), make_column_selector(dtype_include="number"))])
    last = HistGradientBoostingRegressor(max_iter=20, early_stopping=True)
    return Pipeline([("numbers", numbers), ("varied", VarianceThreshold()), ("last", last)], memory=MEMORY)
"""


def test_a_pipeline_that_caches_its_steps_stops_early_as_one_that_does_not(tmp_path: Path) -> None:
    penguins = make_penguins(tmp_path, "regression")
    models = []
    for name, memory in (
        ("plain", None),
        ("cached", str(tmp_path / "cache")),
        ("from the cache", str(tmp_path / "cache")),
    ):
        penguins.write_code(CACHED.replace("MEMORY", repr(memory)))
        models.append((penguins.train(name) / ONNX_MODEL).read_bytes())
    assert models[0] == models[1] == models[2]
    assert list((tmp_path / "cache").rglob("*.pkl")), "the steps were cached"


def test_baselines_stand_beside_the_model_which_is_the_same_with_them(
    penguins: Penguins, model: Path, tmp_path: Path
) -> None:
    tune = penguins.project.tune.model_copy(update={"baselines": "on"})
    beside = replace(penguins, project=penguins.project.model_copy(update={"tune": tune}))
    with_them = beside.train("beside")
    assert (with_them / ONNX_MODEL).read_bytes() == (model / ONNX_MODEL).read_bytes()
    history, evaluation = penguins.path("history of beside"), tmp_path / "evaluation"
    evaluation.mkdir()
    with np.load(history / BASELINE_SCORES, allow_pickle=False) as found:
        shapes = {name: found[name].shape for name in found}
    rows = shapes.pop("labels")[0]
    assert shapes == dict.fromkeys(("project", "linear", "boosted"), (rows, 3))
    assert read_json(history / BASELINE_NOTES) == {"rows": 276, "missing": {}}
    inputs = {"champion": "none", "examples": penguins.path("examples"), "model": with_them, "history": history}
    evaluate_model(beside.project, **inputs, evaluation=evaluation, page=tmp_path / "e.html")
    board = read_json(evaluation / LEADERBOARD)
    assert (board["metric"], board["rows"]) == ("accuracy", rows)
    values = {entry["kind"]: entry["value"] for entry in board["entries"]}
    assert values.keys() == {"project", "linear", "boosted", "constant"}
    assert values["linear"] > 0.9 > values["constant"] and values["boosted"] > 0.9
    assert "Beside simpler models" in (tmp_path / "e.html").read_text()
    assert not (penguins.path("history of model") / BASELINE_SCORES).exists(), "without the setting nothing is fitted"


def test_the_training_page_lists_the_steps_and_no_epochs(penguins: Penguins, model: Path) -> None:
    history = penguins.path("history of model")
    page, outcome = (history / "page.json").read_text(), Outcome.load(history / OUTCOME)
    assert '"columns.numbers.simpleimputer"' in page and "LogisticRegression" in page
    assert "epochs" not in page and outcome.reason == "fitted 276 rows in one call"


def test_a_model_is_evaluated_and_explained_by_what_it_answers(penguins: Penguins, model: Path, tmp_path: Path) -> None:
    evaluation, explanation = tmp_path / "evaluation", tmp_path / "explanation"
    for folder in (evaluation, explanation):
        folder.mkdir()
    examples = penguins.path("examples")
    judged = evaluate_model(
        penguins.project,
        champion="none",
        examples=examples,
        model=model,
        evaluation=evaluation,
        page=tmp_path / "e.html",
    )
    assert judged.scalars["accuracy"] > 0.9
    explain_model(
        penguins.project,
        examples=examples,
        model=model,
        evaluation=evaluation,
        explanation=explanation,
        page=tmp_path / "x.html",
    )
    assert Outcome.load(explanation / OUTCOME).metrics.keys().isdisjoint({"agreement_integrated_gradients"})
    features, structure = (read_json(explanation / IMPORTANCES)[key] for key in ("features", "structure"))
    assert structure["of"] == "features" and structure["method"].startswith("coefficients")
    assert structure["values"].keys() == features.keys() and structure["agreement"] > 0
    (check,) = [check for check in Outcome.load(explanation / OUTCOME).checks if check.name == "agreement: structure"]
    assert check.status == "pass" and check.measured == structure["agreement"]
    assert max(features, key=lambda name: features[name]["importance"]) in (
        "bill_length_mm",
        "island",
        "flipper_length_mm",
    )


def test_trials_are_compared_and_none_is_stopped_early(penguins: Penguins, tmp_path: Path) -> None:
    raw = penguins.project.model_dump(by_alias=True)
    raw["code"] = {"framework": "sklearn"}
    raw["train"]["hyperparameters"] = {"C": 0.001}
    raw["tune"] = {"trials": 5, "space": {"C": {"low": 0.0001, "high": 10.0, "log": True}}}
    outcome = tune_hyperparameters(
        type(penguins.project).model_validate(raw),
        **{name: penguins.path(name) for name in ("code", "transform_graph", "transformed")},
        hyperparameters=tmp_path,
    )
    assert {trial["state"] for trial in read_json(tmp_path / TRIALS)} == {"complete"}
    assert outcome.metrics["eval_loss"] < outcome.metrics["eval_loss_of_defaults"]
    assert read_json(tmp_path / HYPERPARAMETERS)["C"] > 0.001


def test_a_pipeline_that_cannot_be_fitted_says_why(penguins: Penguins, tmp_path: Path) -> None:
    broken = make_penguins(tmp_path)
    broken.write_code(
        "from sklearn.linear_model import LogisticRegression\nfrom sklearn.pipeline import Pipeline\n"
        "def build_model(hyperparameters):\n    return Pipeline([('last', LogisticRegression())])\n"
    )
    with pytest.raises(
        ModelError, match="the pipeline cannot be fitted: ValueError: could not convert string to float"
    ):
        broken.train()


def test_a_model_is_not_exported_when_it_answers_otherwise(penguins: Penguins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "MEDIAN", -1.0)
    with pytest.raises(ModelError, match="the ONNX model does not give the scores of LogisticRegression"):
        penguins.train("other")
    assert not any(penguins.path("other").iterdir())


PREPROCESSING = """
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    island = tf.where(inputs["island"] == "", "?", inputs["island"])
    sizes = tf.stack([inputs["bill_length_mm"], inputs["bill_depth_mm"]], axis=1)
    return {
        "sizes": sizes,
        "island": tft.compute_and_apply_vocabulary(island, num_oov_buckets=1),
        "year": tf.cast(inputs["year"], tf.float32),
        "a/b": inputs["flipper_length_mm"] / 200,
    }
"""
BOOSTED = """
from sklearn.ensemble import HistGradientBoosting{0} as Boosted


def build_model(hyperparameters):
    return Boosted(max_iter=20)
"""
KINDS = {"multiclass_classification": "Classifier", "binary_classification": "Classifier", "regression": "Regressor"}


@pytest.mark.slow
@pytest.mark.parametrize("task", KINDS)
def test_a_preprocessing_fn_in_front_of_an_estimator_is_one_model(task: str, tmp_path: Path) -> None:
    """The features have missing values, a vector and a name that no graph allows; the estimator takes them as they are."""
    code = {"model": BOOSTED.format(KINDS[task]), "preprocessing": PREPROCESSING}
    penguins = make_penguins(tmp_path, task, **code)
    model = penguins.train()
    again = penguins.train("again")
    files = sorted(path.relative_to(model) for path in model.rglob("*") if path.is_file())
    assert Path("saved_model/saved_model.pb") in files and Path(ONNX_MODEL) in files
    assert all((again / name).read_bytes() == (model / name).read_bytes() for name in files), "equal fits, equal bytes"
    loaded = load_model(model)
    rows = {
        item.name: np.array(["", "Biscoe", "nowhere"] if item.type.is_text else [1, 2, 3]).astype(item.type.numpy)
        for item in loaded.signature.inputs
    }
    one_by_one = [loaded.predict({name: values[[row]] for name, values in rows.items()}) for row in range(3)]
    for name, values in loaded.predict(rows).items():
        assert np.array_equal(np.concatenate([answer[name] for answer in one_by_one]), values)
    structure = loaded.structure_importance()
    assert structure is not None and not structure.raw
    assert list(structure.values) == ["a/b", "island", "sizes_0", "sizes_1", "year"]
    made = loaded.transform(rows)
    assert made is not None and sorted(made) == ["a/b", "island", "sizes", "year"]
    assert made["sizes"].tolist() == [[row, row] for row in (1, 2, 3)]
    first = {name: values[:1] for name, values in rows.items()}
    index = 0 if task == "multiclass_classification" else None
    found = loaded.attribute_by_structure(first, rows, index)
    assert found is not None and list(found.values) == list(rows), "a part by raw feature"
    assert sum(found.values.values()) == pytest.approx(found.score - found.base, abs=1e-5)


def test_an_empty_preprocessing_file_is_none(penguins: Penguins, tmp_path: Path) -> None:
    code = {"model": BOOSTED.format("Classifier"), "preprocessing": '"""Nothing to prepare."""\n# yet\n'}
    model = load_model(make_penguins(tmp_path, **code).train())
    assert not (tmp_path / "model" / "saved_model").exists()
    assert model.structure_importance().raw


def test_a_rule_for_columns_needs_a_preprocessing_fn(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"transform: needs a preprocessing_fn, and preprocessing\.py is empty"):
        make_penguins(tmp_path, preprocessing="", transform={"drop": {"missing": 0.9}})
