"""What scikit-learn's room does without its libraries, and without TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components._core import extras
from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.types.artifact_files import ONNX_MODEL, SIGNATURE, STRUCTURE
from components._frameworks.project_rules import check_served_model
from components._frameworks.sklearn.framework import FRAMEWORK
from components._frameworks.table import check_installed, check_model_files, load_model
from tests.components.small_penguins import Penguins


def imported_by(code: str, *arguments: str) -> set[str]:
    """Which of the libraries a process has imported after some code."""
    code += "; import sys; print('imported', *({'tensorflow', 'keras', 'sklearn', 'skl2onnx', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    return set(done.stdout.strip().splitlines()[-1].split()[1:])


def test_checking_a_models_files_imports_no_library(model: Path) -> None:
    code = "import sys, pathlib; from components._frameworks.table import check_model_files; check_model_files(pathlib.Path(sys.argv[1]))"
    assert imported_by(code, str(model)) == set()
    assert check_model_files(model) is FRAMEWORK


def test_serving_imports_onnxruntime_alone(model: Path) -> None:
    code = "import sys, pathlib; from components._predictor.predictor import load; load(pathlib.Path(sys.argv[1]))"
    assert imported_by(code, str(model)) == {"onnxruntime"}


@pytest.mark.slow
def test_transform_train_and_the_stages_that_judge_import_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.components.small_penguins import make_penguins;"
        "from components._frameworks.table import load_model;"
        "import components.evaluate.evaluate, components.explain.explain, components.tune.optuna_search;"
        "load_model(make_penguins(pathlib.Path(sys.argv[1])).train())"
    )
    assert not imported_by(code, str(tmp_path)) & {"tensorflow", "keras"}


def test_a_model_says_its_framework_and_holds_nothing_that_runs_when_it_is_opened(model: Path) -> None:
    assert read_json(model / SIGNATURE)["framework"] == "sklearn"
    assert {path.name for path in model.iterdir()} == {ONNX_MODEL, SIGNATURE, STRUCTURE, "sha256.json"}


def test_missing_packages_are_named_with_the_extra_that_brings_them(
    monkeypatch: pytest.MonkeyPatch, model: Path, penguins: Penguins
) -> None:
    find = extras.importlib.util.find_spec
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(ConfigError, match="packages that are not installed: onnxruntime") as refused:
        check_installed(FRAMEWORK, "code.framework")
    assert "pip install 'naru[sklearn]'" in refused.value.remedy
    with pytest.raises(ConfigError, match="not installed: onnxruntime"):
        load_model(model)
    with pytest.raises(ConfigError, match="not installed: onnxruntime"):
        penguins.train("never")


def test_a_cluster_serves_it_where_its_packages_were_built_in(model: Path) -> None:
    check_served_model(str(model), ("sklearn",))
    with pytest.raises(ConfigError, match="'sklearn' cannot be served on this cluster"):
        check_served_model(str(model), ())


def test_a_server_needs_the_runtime_and_nothing_that_trains(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    find = extras.importlib.util.find_spec
    gone = ("sklearn", "skl2onnx", "onnx")
    absent = f"import sys; sys.modules.update(dict.fromkeys({gone}))"  # importing one of them raises
    opened = (
        "from pathlib import Path; from components._frameworks.table import load_model; load_model(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", f"{absent}; {opened}", str(model)], check=True)
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None if name in gone else find(name))
    assert load_model(model)
    with pytest.raises(ConfigError, match="not installed: sklearn, skl2onnx, onnx"):
        check_installed(FRAMEWORK, "code.framework")
    monkeypatch.setenv("NARU_IMAGE_EXTRAS", "gcs")
    with pytest.raises(ConfigError) as refused:
        check_installed(FRAMEWORK, "code.framework")
    assert 'make images EXTRAS="gcs sklearn"' in refused.value.remedy
