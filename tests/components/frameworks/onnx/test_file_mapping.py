"""Columns of inputs and classes of outputs: as project.yaml says, by name, or because nothing else fits; else with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from components._core.errors import ConfigError, ModelError, NaruError
from components._core.project.model_config import ImportedModel
from components._core.types.tasks import TASKS
from components._frameworks.contract import ImportPlan, ModelCode
from components._frameworks.onnx.framework import FRAMEWORK
from components._frameworks.transformed_rows import Column
from tests.components.frameworks.onnx.onnx_files import CLASSES, NUMBERS, dense_file, matrix_file, sklearn_file

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
NUMERIC = [Column(name, "float32", ()) for name in NUMBERS]
COLUMNS = [*NUMERIC, Column("island", "string", ()), Column("sex", "string", ()), Column("year", "int64", ())]
MULTICLASS, BINARY, REGRESSION = "multiclass_classification", "binary_classification", "regression"


def plan(
    folder: Path,
    content: bytes,
    columns: list[Column] = COLUMNS,
    task: str = MULTICLASS,
    classes: list[str] | None = None,
    **imported: Any,
) -> ImportPlan:
    (folder / "m.onnx").write_bytes(content)
    code = ModelCode(folder, "m.onnx", imported=ImportedModel.model_validate(imported))
    found = {MULTICLASS: CLASSES, BINARY: ["no", "yes"], REGRESSION: []}[task] if classes is None else classes
    return FRAMEWORK.plan_import(code, columns, task=TASKS[task], classes=found)


def test_inputs_that_are_called_after_columns_take_them(tmp_path: Path) -> None:
    found = plan(tmp_path, sklearn_file())
    assert found.inputs == {column.name: [column.name] for column in COLUMNS} and not found.notes and not found.unused
    assert (found.scores, found.classes) == ("output_probability", tuple(CLASSES))
    spaced = [Column("bill length (mm)", "float32", ()), *COLUMNS[1:]]
    found = plan(tmp_path, sklearn_file(), spaced)
    assert found.inputs["bill_length_mm"] == ["bill length (mm)"] and len(found.notes) == 1


def test_a_matrix_takes_the_columns_of_numbers_if_there_are_as_many_and_says_in_which_order(tmp_path: Path) -> None:
    found = plan(tmp_path, matrix_file(), [*NUMERIC, COLUMNS[4]])
    assert found.inputs == {"X": NUMBERS} and found.unused == ("island",)
    assert f"assumed in the order {', '.join(NUMBERS)}" in found.notes[0]
    named = plan(tmp_path, matrix_file(), inputs={"X": NUMBERS[::-1]})
    assert named.inputs == {"X": NUMBERS[::-1]} and not named.notes


@pytest.mark.parametrize(
    ("content", "imported", "where", "message"),
    [
        (matrix_file(), {}, "model.inputs", r"'X' takes 4 numbers \(float32\) of each row; 5 such columns are left"),
        (matrix_file(), {"inputs": {"x": NUMBERS}}, "model.inputs", "has no input 'x'; did you mean 'X'"),
        (matrix_file(), {"inputs": {"X": [*NUMBERS[:3], "mass"]}}, "model.inputs.X", "there is no column 'mass'"),
        (matrix_file(), {"inputs": {"X": NUMBERS[:3]}}, "model.inputs.X", "takes 4 numbers .* have 3"),
        (matrix_file(), {"inputs": {"X": [*NUMBERS[:3], "sex"]}}, "model.inputs.X", "takes numbers, and the column 'sex' holds texts"),
        (matrix_file(), {"inputs": {"X": NUMBERS}, "missing": {"sex": 0}}, "model.missing", "'sex' holds texts"),
        (matrix_file(), {"inputs": {"X": NUMBERS}, "missing": {"six": 0}}, "model.missing", "no column 'six'"),
        (dense_file(opset=8), {"inputs": {"input": NUMBERS}, "missing": {NUMBERS[0]: 0}}, "model.missing", "operators of version 8"),
        (dense_file(inputs={"n": (INT64, ["r", 4])}), {"inputs": {"n": NUMBERS}}, "model.inputs.n", "takes whole numbers"),
        (dense_file(inputs={"x": (FLOAT, ["r", "w"])}, nodes=[helper.make_node("Identity", ["joined"], ["made"])]), {}, "model.inputs", "does not say how many"),
        (dense_file(), {"inputs": {"input": NUMBERS}, "outputs": {"scores": "outptu"}}, "model.outputs.scores", "did you mean 'output'"),
        (dense_file(), {"inputs": {"input": NUMBERS}, "outputs": {"classes": ["a", "b", "c"]}}, "model.outputs.classes", r"found 'a', 'b', 'c', and the label has 'Adelie'"),
        (matrix_file(), {"inputs": {"X": NUMBERS}, "outputs": {"classes": CLASSES[::-1]}}, "model.outputs.classes", "has them in the order 'Adelie'"),
        (matrix_file(), {"inputs": {"X": NUMBERS}, "outputs": {"scores": "output_label"}}, "model.outputs.scores", "is string, and scores are real"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_named_with_what_to_write(
    tmp_path: Path, content: bytes, imported: dict[str, Any], where: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        plan(tmp_path, content, **imported)
    assert refused.value.where == where and refused.value.remedy


@pytest.mark.parametrize(
    ("content", "task", "classes", "message"),
    [
        (dense_file(width=5), MULTICLASS, None, "has 5 values per row; must be 3: the label has the classes 'Adelie'"),
        (dense_file(width=3), BINARY, None, "has 3 values per row; must be 1 or 2"),
        (dense_file(width=2), REGRESSION, None, "has 2 values per row; must be 1: a regression has one value"),
        (matrix_file(), MULTICLASS, ["a", "b", "c"], "has the classes 'Adelie', 'Chinstrap', 'Gentoo', and the label has 'a'"),
    ],
)  # fmt: skip
def test_outputs_that_cannot_be_scores_of_the_label_are_refused(
    tmp_path: Path, content: bytes, task: str, classes: list[str] | None, message: str
) -> None:
    with pytest.raises(NaruError, match=message):
        plan(tmp_path, content, NUMERIC, task, classes)


def test_a_file_with_labels_alone_or_several_matrices_is_refused(tmp_path: Path) -> None:
    labels = helper.make_tensor_value_info("label", INT64, ["n", 1])
    best = [helper.make_node("ArgMax", ["joined"], ["label"], axis=1)]
    with pytest.raises(ModelError, match=r"none of its outputs has probabilities.*'label' \(int64\)"):
        plan(tmp_path, dense_file(nodes=best, outputs=[labels], last=""), NUMERIC)
    both = [helper.make_tensor_value_info(name, FLOAT, ["n", 3]) for name in ("output", "other")]
    nodes = [
        helper.make_node("Slice", ["joined", "zero", "three", "one"], ["made"]),
        helper.make_node("Neg", ["made"], ["other"]),
    ]
    constants = {"zero": [0], "three": [3], "one": [1]}
    with pytest.raises(ConfigError, match=r"several outputs of m\.onnx may be the scores: 'output', 'other'"):
        plan(tmp_path, dense_file(nodes=nodes, constants=constants, outputs=both), NUMERIC)


def test_classes_that_the_file_only_numbers_are_the_labels_in_their_order_and_it_says_so(tmp_path: Path) -> None:
    found = plan(tmp_path, matrix_file("codes"), NUMERIC)
    assert found.classes == tuple(CLASSES) and "numbers its classes: assumed in the order Adelie" in found.notes[-1]
    found = plan(tmp_path, dense_file(width=1, last="Sigmoid"), NUMERIC, BINARY)
    assert found.classes == ("no", "yes") and "does not name its classes" in found.notes[-1]


def test_behind_a_preprocessing_fn_inputs_take_the_features_that_it_must_return(tmp_path: Path) -> None:
    found = plan(tmp_path, matrix_file(), [])
    assert found.inputs == {"X": ["X"]} and "preprocessing_fn must return the features X" in found.notes[0]
