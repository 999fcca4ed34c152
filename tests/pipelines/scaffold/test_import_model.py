"""A model that was trained elsewhere is brought into a project: the file beside it, and what it takes and gives in project.yaml."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from palmerpenguins import load_penguins

from components._core.errors import ConfigError, ModelError
from components._core.project.project_file import load_project
from components._core.stage.user_code import fingerprint_code, pack_code, unpack_code
from components._frameworks.project_rules import check_framework
from pipelines.cli.arguments import parse_settings
from pipelines.scaffold.import_model import Imported, import_model
from pipelines.scaffold.import_summary import describe_import
from pipelines.testing import Columns, run_code
from tests.components.frameworks.onnx.onnx_files import CLASSES, NUMBERS, dense_file, matrix_file, sklearn_file

PROJECT = """\
# the penguins of Palmer
name: penguins  # short
task: multiclass_classification
label: species
data:
  source: penguins.csv
  split: {train: 0.6, eval: 0.2, test: 0.2}

# long enough
train:
  epochs: 30  # at most
  seed: 3

tune:
  trials: 0
  space:
    units: {choices: [16, 32]}
gates:
  model: {slices: [island]}
"""
X = {"model.inputs.X": NUMBERS}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "penguins"
    folder.mkdir()
    load_penguins().to_csv(folder / "penguins.csv", index=False)
    (folder / "project.yaml").write_text(PROJECT)
    (folder / "model.py").write_text("def build_model(inputs, transform, hyperparameters): ...\n")
    (folder / "preprocessing.py").write_text("def preprocessing_fn(inputs): ...\n")
    return folder


def bring(project: Path, content: bytes, overrides: dict[str, Any] | None = None, **options: Any) -> Imported:
    source = project.parent / "theirs.onnx"
    source.write_bytes(content)
    return import_model(project, source, overrides or {}, **options)


def test_the_file_and_its_mapping_are_written_and_the_rest_of_the_project_file_stays(project: Path) -> None:
    done = bring(project, sklearn_file())
    assert (project / "model.onnx").read_bytes() == sklearn_file()
    assert done.removed == ("train.epochs", "tune.trials", "tune.space") and done.idle == (
        "preprocessing.py",
        "model.py",
    )
    text = (project / "project.yaml").read_text()
    assert text.startswith(PROJECT.partition("\n# long")[0]) and "gates:\n  model: {slices: [island]}\n" in text
    loaded = load_project(project)
    assert check_framework(loaded).name == "onnx" and loaded.train.seed == 3 and loaded.code.files == ("model.onnx",)
    assert loaded.model is not None and loaded.model.inputs == {}  # they have the names of columns
    assert (loaded.model.outputs.scores, loaded.model.outputs.classes) == ("output_probability", CLASSES)
    assert "tune" not in yaml.safe_load(text)
    lines = [*describe_import(done)]
    said = " ".join(line.strip() for line in lines)
    assert lines[-1].startswith("next: naru run ")
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in lines[:-1])  # a path may be longer
    assert "theirs.onnx: made by skl2onnx" in said and "output output_probability: Adelie, Chinstrap, Gentoo" in said
    assert "removed train.epochs" in said and "nothing calls preprocessing.py and model.py any more" in said


def test_a_search_over_kinds_of_model_is_taken_out_as_it_would_choose_another_model(project: Path) -> None:
    file = project / "project.yaml"
    searched = "tune:\n  models: [linear]\n  minutes: 5\n  ensemble: 2\n  warm_start: false\ngates:"
    head, _, rest = file.read_text().partition("tune:")
    file.write_text(head + searched + rest.partition("gates:")[2])
    done = bring(project, sklearn_file())
    assert done.removed[1:] == ("tune.models", "tune.minutes", "tune.warm_start", "tune.ensemble")
    assert check_framework(load_project(project)).name == "onnx"


def test_the_model_travels_in_the_code_archive_with_its_fingerprint(project: Path, tmp_path: Path) -> None:
    bring(project, sklearn_file())
    loaded = load_project(project)
    before = pack_code(project, loaded, tmp_path / "code.zip")
    unpack_code(tmp_path / "code.zip", tmp_path / "there")
    assert (tmp_path / "there" / "model.onnx").read_bytes() == sklearn_file()
    (project / "model.onnx").write_bytes(dense_file())
    assert fingerprint_code(project, loaded) != before


def test_columns_that_cannot_be_found_are_asked_for_and_nothing_is_changed(project: Path) -> None:
    with pytest.raises(ConfigError, match="'X' takes 4 numbers") as refused:
        bring(project, matrix_file())
    assert "model: {inputs: {X: [COLUMN, COLUMN, COLUMN, COLUMN]}}" in refused.value.remedy
    assert (project / "project.yaml").read_text() == PROJECT and not (project / "model.onnx").exists()
    done = bring(project, matrix_file(), X)
    assert done.plan.inputs == {"X": NUMBERS} and done.plan.unused == ("island", "sex", "year")
    section = yaml.safe_load((project / "project.yaml").read_text())["model"]
    assert section == {"inputs": {"X": NUMBERS}, "outputs": {"scores": "output_probability", "classes": CLASSES}}


def options_of(refused: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    """The values of --set that a remedy says, as a shell would pass them."""
    words = shlex.split(refused.value.remedy.partition("with naru import: ")[2])
    assert words[::2] == ["--set"] * (len(words) // 2)
    return words[1::2]


def test_the_options_that_a_remedy_says_are_what_the_command_takes(project: Path) -> None:
    with pytest.raises(ConfigError, match="'X' takes 4 numbers") as refused:
        bring(project, matrix_file())
    (option,) = options_of(refused)
    assert option == "model.inputs.X=[COLUMN, COLUMN, COLUMN, COLUMN]"
    named = option.partition("=")[0] + f"=[{', '.join(NUMBERS)}]"
    assert bring(project, matrix_file(), parse_settings([named])).plan.inputs == {"X": NUMBERS}


def test_an_order_of_classes_that_is_asked_for_is_taken_as_the_option_says_it(project: Path) -> None:
    content = matrix_file("codes")
    wrong = X | {"model.outputs.classes": ["a", "b", "c"]}
    with pytest.raises(ConfigError, match="found 'a', 'b', 'c'") as refused:
        bring(project, content, wrong)
    assert bring(project, content, X | parse_settings(options_of(refused))).plan.classes == tuple(CLASSES)


def test_a_wrong_option_is_to_be_corrected_where_it_was_given(project: Path) -> None:
    with pytest.raises(ConfigError, match="there is no column 'mass'") as refused:
        bring(project, matrix_file(), {"model.inputs": {"X": [*NUMBERS[:3], "mass"]}})
    assert "correct model.inputs.X: in project.yaml, or in --set of naru import" in refused.value.remedy


def test_a_newer_file_takes_its_place_and_what_was_written_by_hand_stays(project: Path) -> None:
    bring(project, matrix_file(), X | {"model.missing": {NUMBERS[0]: 44}})
    again = bring(project, matrix_file("codes"))
    assert again.plan.inputs == {"X": NUMBERS} and again.idle == () and again.removed == ()
    assert again.aside is not None and again.aside.read_bytes() == matrix_file()
    loaded = load_project(project).model
    assert loaded is not None and loaded.missing == {NUMBERS[0]: 44}
    other = bring(project, dense_file(), {"model.inputs": {"input": NUMBERS}})  # another model altogether
    loaded = load_project(project).model
    assert loaded is not None and loaded.inputs == {"input": NUMBERS} and loaded.outputs.scores == "output"
    assert loaded.missing == {NUMBERS[0]: 44} and other.plan.notes
    assert bring(project, dense_file()).aside is None  # the same file


def test_a_preprocessing_fn_stays_in_front_when_it_is_asked_for(project: Path) -> None:
    done = bring(project, matrix_file(), prepared=True)
    loaded = load_project(project)
    assert loaded.code.files == ("preprocessing.py", "model.onnx") and done.idle == ("model.py",)
    assert "preprocessing_fn must return the features X" in done.plan.notes[0]


def test_names_that_yaml_would_read_otherwise_are_read_back_as_they_are(project: Path) -> None:
    table = load_penguins().rename(columns={"bill_length_mm": "yes", "bill_depth_mm": "1e3", "body_mass_g": "a: b"})
    table.to_csv(project / "penguins.csv", index=False)
    names = ["yes", "1e3", "flipper_length_mm", "a: b"]
    bring(project, matrix_file(), {"model.inputs": {"X": names}})
    loaded = load_project(project).model
    assert loaded is not None and loaded.inputs == {"X": names}


@pytest.mark.parametrize(
    ("content", "overrides", "error", "message"),
    [
        (b"no model", {}, ModelError, "is not an ONNX file"),
        (sklearn_file(), {"train.seed": 5}, ConfigError, "only what is below model"),
        (dense_file(), {"model.inputs": {"input": 7}}, ConfigError, "must be a column, or a list of columns"),
        (matrix_file(), X | {"model.outputs.classes": ["a", "a", "b"]}, ConfigError, "has 'a' twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_nothing_is_changed(
    project: Path, content: bytes, overrides: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        bring(project, content, overrides)
    assert (project / "project.yaml").read_text() == PROJECT and not (project / "model.onnx").exists()


def test_a_project_file_in_another_form_is_not_edited(project: Path) -> None:
    shown = yaml.safe_dump(yaml.safe_load(PROJECT), default_flow_style=True, width=1_000)
    (project / "project.yaml").write_text(shown)
    with pytest.raises(ConfigError, match="is written in a form that is not edited here") as refused:
        bring(project, sklearn_file())
    assert "code: {framework: onnx, model: model.onnx}" in refused.value.remedy
    assert (project / "project.yaml").read_text() == shown and not (project / "model.onnx").exists()


def test_there_must_be_a_file(project: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        import_model(project, project / "nowhere.onnx", {})


def test_the_projects_own_test_runs_the_imported_model(project: Path) -> None:
    bring(project, sklearn_file())
    shutil.copy(project / "project.yaml", project / "kept.yaml")
    numbers = dict(zip(NUMBERS, [(32, 60), (13, 22), (170, 232), (2_700, 6_300)], strict=True))
    texts = {"island": ["Biscoe", "Dream"], "sex": ["female", "male"]}
    result = run_code(project, Columns(CLASSES, {"year": (2007, 2009)}, numbers, texts))
    assert result.scores.shape == (result.rows, 3) and np.isfinite(result.scores).all()
