"""A second framework, registered by the call that ours uses, through every stage that has to do with models."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from components._core import extras
from components._core.checks import Outcome
from components._core.errors import ConfigError, ModelError
from components._core.files import read_json, write_json
from components._core.project.code_config import Code
from components._core.setting_names import STORE
from components._core.stage import environment
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import IMPORTANCES, OUTCOME, SAVED_MODEL, SIGNATURE
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks import table
from components._frameworks.table import (
    check_model_files,
    find_framework,
    framework_of,
    known_frameworks,
    load_model,
    missing_model_files,
    needs_tensorflow,
    register_framework,
)
from components._predictor.predictor import Predictor
from components.explain.explain import explain_model
from tests.components.frameworks.toy_framework import MEAN
from tests.components.small_flights import trained_flights
from tests.components.tiny_models import CLASSES, FEATURES, tiny_project, write_examples, write_model
from tests.components.tiny_onnx_model import write_onnx_model

ROOT = Path(__file__).resolve().parents[3]
TASK = "binary_classification"


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_MODULES", dict(table._MODULES))
    register_framework("toy", "tests.components.frameworks.toy_framework")


def write_toy(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MEAN, 0.25)
    Signature(TASK, FEATURES, TASKS[TASK].output_types, CLASSES[TASK], "toy").save(folder)
    write_digests(folder)
    return folder


@pytest.mark.slow
def test_train_builds_fits_and_exports_a_model_of_another_framework(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from components.train import train

    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    small, model, history = trained_flights(), tmp_path / "model", tmp_path / "history"
    project = small.project.model_copy(update={"code": Code(framework="toy")})
    train.train_model(project, **small.before("train"), model=model, history=history)
    loaded = load_model(model)
    assert loaded.signature.framework == "toy"
    scores = loaded.predict({"hour": np.zeros(3, np.int64)})["probability"]
    assert scores == pytest.approx([read_json(model / MEAN)] * 3) and 0 < scores[0] < 1


def test_a_server_answers_with_a_model_of_another_framework(tmp_path: Path) -> None:
    columns = {"delay": [1.0, None], "month": [1, 2], "carrier": ["AA", "BB"], "noise": [0.0, 0.5]}
    assert Predictor(load_model(write_toy(tmp_path))).predict(columns)["probability"].tolist() == [0.25, 0.25]


def test_a_model_without_gradients_and_structure_is_explained_by_the_methods_that_only_need_its_answers(
    tmp_path: Path,
) -> None:
    Outcome().save(tmp_path / OUTCOME)
    explanation = tmp_path / "explanation"
    explanation.mkdir()
    outcome = explain_model(
        tiny_project(TASK),
        examples=write_examples(tmp_path / "examples", TASK),
        model=write_toy(tmp_path / "model"),
        evaluation=tmp_path,
        explanation=explanation,
        page=tmp_path / "page.html",
    )
    assert "completeness_error" not in outcome.metrics and "agreement_integrated_gradients" not in outcome.metrics
    features = read_json(explanation / IMPORTANCES)["features"]
    assert {item["reaches_output"] for item in features.values()} == {None}
    assert "framework has no gradients" in (tmp_path / "page.html").read_text()


def test_a_model_that_names_no_framework_is_one_of_keras_and_keras_models_name_none(tmp_path: Path) -> None:
    Signature(TASK, FEATURES, TASKS[TASK].output_types, CLASSES[TASK]).save(tmp_path)
    assert "framework" not in read_json(tmp_path / SIGNATURE)
    assert framework_of(tmp_path).name == Signature.load(tmp_path).framework == "keras"


def test_a_model_of_an_unknown_framework_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    Signature(TASK, FEATURES, TASKS[TASK].output_types, CLASSES[TASK], "abacus").save(tmp_path)
    with pytest.raises(
        ModelError,
        match=r"signature\.json: unknown framework 'abacus'; allowed: keras, sklearn, xgboost, lightgbm, torch, onnx, toy",
    ):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="unknown framework 'abacus'"):
        missing_model_files(str(tmp_path))


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="duplicate framework 'toy'"):
        register_framework("toy", "elsewhere")


def test_the_files_of_a_model_are_those_of_its_framework(tmp_path: Path) -> None:
    assert missing_model_files(str(tmp_path)) == [f"{tmp_path}/{SIGNATURE}", f"{tmp_path}/saved_model/saved_model.pb"]
    model = write_toy(tmp_path / "model")
    assert not missing_model_files(str(model))
    (model / MEAN).unlink()
    assert missing_model_files(str(model)) == [f"{model}/{MEAN}"]
    with pytest.raises(ModelError, match=rf"{MEAN}: is missing"):
        check_model_files(model)


def test_a_damaged_signature_is_not_missing_and_does_not_load(tmp_path: Path) -> None:
    (tmp_path / SIGNATURE).write_text("{")
    assert not missing_model_files(str(tmp_path))
    with pytest.raises(ModelError, match=r"signature\.json: does not load"):
        load_model(tmp_path)


def test_files_are_verified_and_checked_before_a_framework_opens_them(tmp_path: Path) -> None:
    model = write_toy(tmp_path)
    (model / MEAN).write_text('"os.system"')
    with pytest.raises(ModelError, match=rf"{MEAN} has changed"):
        load_model(model)
    write_digests(model)
    with pytest.raises(ModelError, match="is not a number"):
        load_model(model)


def test_looking_up_frameworks_and_checking_files_imports_none_of_them(tmp_path: Path) -> None:
    Signature(TASK, FEATURES, TASKS[TASK].output_types, CLASSES[TASK]).save(tmp_path)
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").touch()  # an empty graph does nothing forbidden
    code = (
        "import pathlib, sys; from components._frameworks.table import check_model_files, framework_extras;"
        "check_model_files(pathlib.Path(sys.argv[1])); framework_extras();"
        "print({'tensorflow', 'keras', 'torch', 'onnx', 'onnxruntime', 'components._frameworks.torch.fit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_runs_record_names_the_version_of_every_package_of_its_framework() -> None:
    distributions = {"sklearn": "scikit-learn"}
    wanted = {name for framework in known_frameworks() for name in find_framework(framework).packages}
    assert not {distributions.get(name, name) for name in wanted} - environment.PACKAGES.keys()


def test_keras_has_a_transform_graph_in_front_and_others_may_do_without() -> None:
    assert find_framework("keras").preprocessing == "in front"
    assert find_framework("sklearn").preprocessing == find_framework("torch").preprocessing == "either"


def test_the_linter_watches_every_package_and_module_that_is_not_a_frameworks_own() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["id"] == "frameworks-apart"]
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("components", "components/_frameworks")
        for path in (ROOT / folder).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    expected = {name for name in found if not name.endswith(("__init__", "._frameworks", ".transform"))} - {
        f"components._frameworks.{name}"
        for name in ("keras", "lightgbm", "onnx", "onnx_models", "saved_models", "sklearn", "torch", "xgboost")
    }
    assert set(contract["source_modules"]) == expected | {"pipelines"}


def test_a_model_needs_tensorflow_when_a_saved_model_is_in_it(tmp_path: Path) -> None:
    folder = write_onnx_model(tmp_path / "onnx")
    assert not needs_tensorflow(str(folder))
    graph = folder / SAVED_MODEL / "saved_model.pb"  # that of a preprocessing_fn
    graph.parent.mkdir()
    graph.touch()
    assert needs_tensorflow(str(folder))


def test_a_model_of_keras_is_refused_where_tensorflow_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "regression")
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "tensorflow")
    with pytest.raises(ConfigError, match="not installed: tensorflow") as refused:
        load_model(model)
    assert "naru[local]" in refused.value.remedy
    monkeypatch.setenv("NARU_IMAGE_EXTRAS", "")
    with pytest.raises(ConfigError) as refused:
        load_model(model)
    assert "naru-server" in refused.value.remedy
