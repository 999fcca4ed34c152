"""What a project says is held against its framework before anything runs, with a sentence for each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components._core import extras
from components._core.errors import ConfigError
from components._core.project.project_file import Project, load_project
from components._frameworks.project_rules import check_framework, check_servers
from components._frameworks.table import find_framework
from components._frameworks.variant_rules import check_variant_servers
from pipelines.compile_target import Target
from pipelines.compiler import compile_project

BASE = {"name": "penguins", "task": "multiclass_classification", "label": "species", "data": {"source": "p.csv"}}


def project(**sections: Any) -> Project:
    return Project.model_validate({**BASE, **sections})


def sklearn(**sections: Any) -> Project:
    return project(**{"code": {"framework": "sklearn"}, **sections})


def test_a_project_that_names_no_framework_is_one_of_keras_and_its_json_is_what_it_was() -> None:
    assert check_framework(project()).name == "keras"
    assert '"code":{"preprocessing":"preprocessing.py","model":"model.py"}' in project().to_json()
    assert project(code={"framework": "keras"}).to_json() == project().to_json()


def test_a_project_of_scikit_learn_is_the_same_after_its_json() -> None:
    text = sklearn().to_json()
    assert '"code":{"framework":"sklearn","model":"model.py"}' in text
    again = Project.model_validate_json(text)
    assert again == sklearn() and again.code.files == ("model.py",)
    assert check_framework(sklearn()).name == "sklearn"


@pytest.mark.parametrize(
    ("sections", "where", "message"),
    [
        (
            {"code": {"framework": "sklaern"}},
            "code.framework",
            r"unknown framework 'sklaern'; did you mean 'sklearn'\?",
        ),
        (
            {"transform": {"columns": {"x": {"impute": 0}}}},
            "transform",
            "needs a preprocessing_fn, and the project names no file with one",
        ),
        ({"transform": {"drop": {"missing": 0.9}}}, "transform", "needs a preprocessing_fn"),
        ({"train": {"epochs": 3}}, "train.epochs", "has no meaning for 'sklearn', which fits in one call"),
        ({"train": {"batch_size": 32}}, "train.batch_size", "has no meaning"),
        ({"train": {"steps": 5}}, "train.steps", "has no meaning"),
        ({"train": {"patience": 0}}, "train.patience", "has no meaning"),
        ({"tune": {"epochs": 1}}, "tune.epochs", "has no meaning"),
    ],
)
def test_a_mistake_is_refused(sections: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        check_framework(sklearn(**sections))
    assert refused.value.where == where and refused.value.remedy


@pytest.mark.parametrize(
    ("sections", "where", "message"),
    [
        ({"train": {"hyperparameters": {"C": 1.0}}}, "train.hyperparameters", "whose model is finished: nothing is fitted"),
        ({"train": {"class_weight": "balanced"}}, "train.class_weight", "has no meaning for 'onnx'"),
        ({"tune": {"trials": 3, "space": {"C": {"low": 1, "high": 2}}}}, "tune.trials", "has no meaning for 'onnx'"),
        ({"tune": {"space": {"C": {"low": 1, "high": 2}}}}, "tune.space", "has no meaning for 'onnx'"),
        ({"tune": {"models": "auto"}}, "tune.models", "has no meaning for 'onnx'"),
        ({"train": {"epochs": 3}}, "train.epochs", "has no meaning for 'onnx', whose model is finished"),
        ({"transform": {"drop": {"missing": 0.9}}}, "transform", "needs a preprocessing_fn"),
    ],
)  # fmt: skip
def test_settings_of_a_fit_are_refused_where_nothing_is_fitted(
    sections: dict[str, Any], where: str, message: str
) -> None:
    finished = {"framework": "onnx", "model": "model.onnx"}
    check_framework(project(code=finished, tune={"trials": 0}, train={"seed": 3, "hyperparameters": {}}))
    with pytest.raises(ConfigError, match=message) as refused:
        check_framework(project(code=finished, **sections))
    assert refused.value.where == where and refused.value.remedy


def test_what_a_finished_model_takes_is_said_of_no_other(tmp_path: Path) -> None:
    said = {"inputs": {"X": ["a", "b"], "k": "c"}, "outputs": {"classes": [True, 1, "x"]}}
    finished = project(code={"framework": "onnx", "model": "model.onnx"}, model=said)
    assert finished.model is not None and finished.model.outputs.classes == ["true", "1", "x"]
    assert Project.model_validate_json(finished.to_json()) == finished and "model" not in sklearn().model_dump()
    with pytest.raises(
        ConfigError, match="describes a file that was trained elsewhere, and 'sklearn' trains"
    ) as refused:
        check_framework(sklearn(model=said))
    assert refused.value.where == "model"


def test_settings_that_have_a_meaning_pass() -> None:
    check_framework(sklearn(train={"seed": 3, "hyperparameters": {"C": 1.0}}, tune={"trials": 0}))
    check_framework(project(train={"epochs": 3}))


def test_a_project_of_scikit_learn_may_have_a_preprocessing_fn() -> None:
    prepared = {"framework": "sklearn", "preprocessing": "preprocessing.py"}
    named = project(code=prepared, transform={"drop": {"missing": 0.9}})
    assert check_framework(named).name == "sklearn"
    assert Project.model_validate_json(named.to_json()).code.files == ("preprocessing.py", "model.py")


def test_what_a_servers_image_was_not_built_with_is_not_served() -> None:
    check_servers(check_framework(project()), ())
    check_servers(check_framework(sklearn()), ("sklearn",))
    with pytest.raises(
        ConfigError, match=r"'sklearn' cannot be served on this cluster: .* the extra 'sklearn'"
    ) as refused:
        check_servers(check_framework(sklearn()), ("other",))
    assert 'make images EXTRAS="other sklearn"' in refused.value.remedy


@pytest.mark.parametrize(
    ("image_extras", "remedy"),
    [
        (None, "pip install 'naru[torch]'; for a smaller build, which is installed first, see docs/frameworks.md"),
        ("gcs", 'build it into this image: make images EXTRAS="gcs torch"'),
        ("torch", "run it in naru-stages-torch"),
    ],
)
def test_pytorch_that_is_missing_is_named_with_what_brings_it(
    image_extras: str | None, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "torch")
    if image_extras is not None:
        monkeypatch.setenv("NARU_IMAGE_EXTRAS", image_extras)
    with pytest.raises(ConfigError, match="'torch' needs packages that are not installed: torch") as refused:
        check_framework(project(code={"framework": "torch"}))
    assert refused.value.remedy.startswith(remedy)


def test_a_project_that_the_images_cannot_run_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(yaml.safe_dump({**BASE, "code": {"framework": "sklearn"}}))
    (tmp_path / "model.py").touch()
    assert load_project(tmp_path).code.framework == "sklearn"
    with pytest.raises(
        ConfigError, match=r"code\.framework needs the extra 'sklearn', which naru-stages is not known to have"
    ):
        compile_project(tmp_path, tmp_path / "build", {}, Target())
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("framework", "names", "message", "remedy"),
    [
        (
            "sklearn",
            ["int9"],
            "unknown variant 'int9'; did you mean 'int8'",
            "allowed: auto, off, folded, float16, int8",
        ),
        (
            "sklearn",
            ["int8", "xla"],
            "a model of 'sklearn' has no variant 'xla'",
            "allowed: auto, off, folded, float16",
        ),
        ("keras", ["tensorrt"], "unknown variant 'tensorrt'", "allowed: auto, off, folded, xla, onnx, float16, int8"),
    ],
)
def test_a_variant_that_the_framework_does_not_make_is_refused_before_anything_runs(
    framework: str, names: list[str], message: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=message) as found:
        check_framework(project(code={"framework": framework}, serve={"optimize": names}))
    assert found.value.where == "serve.optimize" and str(found.value.remedy).startswith(remedy)


def test_a_variant_needs_its_packages_and_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = extras._is_installed
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "onnxruntime" and installed(name))
    assert check_framework(project(serve={"optimize": "auto"})).name == "keras"
    assert check_framework(project(serve={"optimize": ["folded"]})).name == "keras"
    with pytest.raises(ConfigError, match="the variant 'onnx' needs packages that are not installed: onnxruntime"):
        check_framework(project(serve={"optimize": ["onnx"]}))


def test_variants_that_the_servers_of_a_cluster_cannot_open_are_refused() -> None:
    keras = find_framework("keras")
    with pytest.raises(ConfigError, match="a variant may need the extra 'onnx'") as found:
        check_variant_servers(project(serve={"optimize": "auto"}), keras, ["gcs"])
    assert str(found.value.remedy).endswith("or name variants without it: [folded, xla]")
    check_variant_servers(project(serve={"optimize": "auto"}), keras, ["onnx"])
    check_variant_servers(project(serve={"optimize": ["folded"]}), keras, [])
    check_variant_servers(project(), keras, [])
