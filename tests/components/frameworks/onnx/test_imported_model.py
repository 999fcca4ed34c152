"""A finished model goes through train as it is: what is exported answers as onnxruntime does on the file itself, or it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from components._core.checks import Outcome
from components._core.errors import ConfigError, ModelError
from components._core.examples.artifact import read_head
from components._core.files import read_json
from components._core.types.artifact_files import HYPERPARAMETERS, ONNX_MODEL
from components._core.types.signature import to_arrays
from components._frameworks.onnx_models.onnx_file import check_onnx_file
from components._frameworks.table import load_model
from components.transform.transform import transform_examples
from components.tune.tune import tune_hyperparameters
from tests.components.frameworks.onnx.onnx_files import CLASSES, NUMBERS, dense_file, matrix_file, sklearn_file
from tests.components.small_penguins import Penguins, make_penguins

FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
INT64, INT32 = TensorProto.INT64, TensorProto.INT32
BINARY, REGRESSION, MULTICLASS = "binary_classification", "regression", "multiclass_classification"
FILLED = dict.fromkeys(NUMBERS, 40.0)
ROWS = 34


def penguins_of(root: Path, content: bytes, task: str = MULTICLASS, **imported: Any) -> Penguins:
    said = {"inputs": {"input": NUMBERS}, "missing": FILLED} | imported
    return make_penguins(root / "penguins", task, model=content, framework="onnx", imported=said)


def served(penguins: Penguins) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Test rows, and the answers of the exported model."""
    model = load_model(penguins.train())
    features = model.signature.inputs
    rows = to_arrays(read_head(penguins.path("examples"), "test", ROWS, [each.name for each in features]), features)
    return rows, model.predict(rows)


def call(content: bytes, **inputs: NDArray[Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, inputs)
    return found


def filled(rows: dict[str, NDArray[Any]], names: list[str] = NUMBERS, value: float = 40.0) -> NDArray[np.float32]:
    made = np.stack([rows[name] for name in names], axis=1)
    return np.where(np.isnan(made), np.float32(value), made)


def test_a_file_of_scikit_learn_with_texts_missing_values_and_dictionaries_answers_as_it_does_itself(
    tmp_path: Path,
) -> None:
    content = sklearn_file()
    penguins = make_penguins(tmp_path / "penguins", model=content, framework="onnx")
    rows, answers = served(penguins)
    labels, dictionaries = call(content, **{name: values[:, None] for name, values in rows.items()})
    assert np.isnan(rows["bill_length_mm"]).any() or "" in rows["sex"]
    expected = np.array([[by_class[name] for name in CLASSES] for by_class in dictionaries])
    assert answers["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert answers["class"].tolist() == labels.tolist()
    check_onnx_file(penguins.path("model") / ONNX_MODEL)


def test_a_matrix_of_columns_in_the_order_of_training_and_classes_by_number(tmp_path: Path) -> None:
    content = matrix_file("codes")
    said = {"inputs": {"X": NUMBERS}, "outputs": {"classes": CLASSES}}
    rows, answers = served(penguins_of(tmp_path, content, **said))
    expected = call(content, X=filled(rows))[1]
    assert answers["probabilities"] == pytest.approx(
        np.array([[each[n] for n in range(3)] for each in expected]), abs=1e-6
    )
    assert np.mean(answers["class"] == np.array(CLASSES)[np.argmax(answers["probabilities"], axis=1)]) == 1


def test_a_value_of_a_regression(tmp_path: Path) -> None:
    content = matrix_file("body_mass_g")
    names = NUMBERS[:3]
    said = {"inputs": {"X": names}, "missing": dict.fromkeys(names, 40.0)}
    rows, answers = served(penguins_of(tmp_path, content, REGRESSION, **said))
    assert answers["prediction"].shape == (ROWS,)
    assert answers["prediction"] == pytest.approx(call(content, X=filled(rows, names))[0][:, 0], rel=1e-6)


@pytest.mark.parametrize(("kind", "dtype"), [(FLOAT, "float32"), (DOUBLE, "float64"), (HALF, "float16")])
def test_real_numbers_are_cast_once_to_what_the_file_takes(tmp_path: Path, kind: int, dtype: str) -> None:
    content = dense_file(inputs={"input": (kind, ["batch", 4])})
    rows, answers = served(penguins_of(tmp_path, content))
    assert answers["probabilities"] == pytest.approx(call(content, input=filled(rows).astype(dtype))[0], abs=1e-6)


def test_several_inputs_of_several_types_of_an_old_exporter_whose_weights_are_inputs_too(tmp_path: Path) -> None:
    inputs: dict[str, tuple[int, list[Any]]] = {
        "data_0": (FLOAT, ["n", 2]),
        "data_1": (DOUBLE, ["n"]),
        "when": (INT32, ["n", 1]),
        "again": (INT64, ["n"]),
    }
    content = dense_file(inputs=inputs, width=1, last="Sigmoid", opset=9, ir=3, output="softmax_0")
    said = {"inputs": {"data_0": NUMBERS[:2], "data_1": NUMBERS[2], "when": "year", "again": "year"}}
    rows, answers = served(penguins_of(tmp_path, content, BINARY, **said))
    expected = call(
        content,
        data_0=filled(rows, NUMBERS[:2]),
        data_1=filled(rows, NUMBERS[2:3])[:, 0].astype(np.float64),
        when=rows["year"][:, None].astype(np.int32),
        again=rows["year"],
    )[0]
    assert answers["probability"] == pytest.approx(expected[:, 0], abs=1e-6)


def test_the_probability_of_the_other_class_is_turned(tmp_path: Path) -> None:
    content = dense_file(width=1, last="Sigmoid")
    rows, answers = served(penguins_of(tmp_path, content, BINARY, outputs={"classes": [1, 0]}))
    assert answers["probability"] == pytest.approx(1 - call(content, input=filled(rows))[0][:, 0], abs=1e-6)


def test_columns_of_the_output_are_brought_into_the_order_of_the_labels_classes(tmp_path: Path) -> None:
    content, order = dense_file(), ["Gentoo", "Adelie", "Chinstrap"]
    rows, answers = served(penguins_of(tmp_path, content, outputs={"classes": order}))
    expected = call(content, input=filled(rows))[0][:, [1, 2, 0]]
    assert answers["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert answers["class"].tolist() == [CLASSES[best] for best in expected.argmax(axis=1)]


@pytest.mark.parametrize("order", [CLASSES, ["Gentoo", "Adelie", "Chinstrap"]])
def test_coefficients_explain_a_row_only_where_the_files_classes_are_in_the_order_of_the_labels(
    order: list[str], tmp_path: Path
) -> None:
    said = {"inputs": {"X": NUMBERS}, "outputs": {"classes": order}}
    penguins = penguins_of(tmp_path, matrix_file("codes"), **said)
    rows, answers = served(penguins)
    model = load_model(penguins.path("model"))
    best = int(answers["probabilities"][0].argmax())
    found = model.attribute_by_structure({name: values[:1] for name, values in rows.items()}, rows, best)
    assert (found is not None) == (order == CLASSES)


@pytest.mark.parametrize(("task", "width", "activation"), [(MULTICLASS, 3, "softmax"), (BINARY, 1, "sigmoid")])
def test_logits_are_refused_with_the_activation_that_makes_probabilities_of_them(
    tmp_path: Path, task: str, width: int, activation: str
) -> None:
    content = dense_file(width=width, last="")
    with pytest.raises(ModelError, match="which are no probabilities") as refused:
        penguins_of(tmp_path / "refused", content, task).train()
    assert f"model: {{outputs: {{activation: {activation}}}}}" in refused.value.remedy
    rows, answers = served(penguins_of(tmp_path, content, task, outputs={"activation": activation}))
    logits = call(content, input=filled(rows))[0].astype(np.float64)
    if task == BINARY:
        assert answers["probability"] == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-6)
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        assert answers["probabilities"] == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)


def test_probabilities_that_do_not_sum_to_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="sum to 1 but for"):
        penguins_of(tmp_path, dense_file(last="Sigmoid")).train()


def test_nan_for_missing_values_is_refused_with_the_columns(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"gives NaN or infinity for \d of 276 train rows, which have missing values \(bill_length"
    ) as refused:
        penguins_of(tmp_path, dense_file(), missing={}).train()
    assert "model: {missing: {bill_length_mm: VALUE" in refused.value.remedy


def test_a_file_of_one_row_at_a_time_is_served_if_it_answers_several_alike(tmp_path: Path) -> None:
    one = {"input": (FLOAT, [1, 4])}
    output = [helper.make_tensor_value_info("output", FLOAT, [1, 3])]
    content = dense_file(inputs=one, outputs=output)
    rows, answers = served(penguins_of(tmp_path, content))
    alone = np.concatenate([call(content, input=row[None])[0] for row in filled(rows)])
    assert answers["probabilities"] == pytest.approx(alone, abs=1e-6)
    flat = [
        helper.make_node("Reshape", ["joined", "one_row"], ["row"]),
        helper.make_node("Gemm", ["row", "weights"], ["made"]),
    ]
    constants = {"one_row": np.array([1, 4]), "weights": np.ones((4, 3), np.float32)}
    content = dense_file(inputs=one, outputs=output, nodes=flat, constants=constants)
    with pytest.raises(ModelError, match="takes one row at a time, and fails on several") as refused:
        penguins_of(tmp_path / "flat", content).train()
    assert "dynamic_axes" in refused.value.remedy


def test_a_model_that_calculates_with_all_rows_of_a_call_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["joined"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["joined", "mean"], ["centred"]),
        helper.make_node("Gemm", ["centred", "weights"], ["made"]),
    ]
    weights = np.arange(12, dtype=np.float32).reshape(4, 3) / 100
    content = dense_file(nodes=nodes, constants={"weights": weights})
    with pytest.raises(ModelError, match="answers a row otherwise alone than among others"):
        penguins_of(tmp_path, content).train()


def test_an_output_that_turns_out_to_have_another_width_is_refused(tmp_path: Path) -> None:
    output = [helper.make_tensor_value_info("output", FLOAT, ["n", "m"])]
    two = [helper.make_node("Compress", ["joined", "first_two"], ["made"], axis=1)]
    content = dense_file(nodes=two, constants={"first_two": np.array([True, True, False, False])}, outputs=output)
    with pytest.raises(ModelError, match=r"'output' has the shape \[276, 2\] for 276 rows; must be \[276, 3\]"):
        penguins_of(tmp_path, content).train()


def test_fractions_are_not_cut_off_for_an_input_of_whole_numbers(tmp_path: Path) -> None:
    content = dense_file(inputs={"input": (INT64, ["n", 4])})
    with pytest.raises(ConfigError, match=r"takes whole numbers \(int64\), and the column 'bill_length_mm' has 39\.1"):
        penguins_of(tmp_path, content).train()
    whole = dense_file(inputs={"input": (INT64, ["n", 2])})
    rows, answers = served(penguins_of(tmp_path / "whole", whole, inputs={"input": NUMBERS[2:]}))
    expected = call(whole, input=filled(rows, NUMBERS[2:]).astype(np.int64))[0]
    assert answers["probabilities"] == pytest.approx(expected, abs=1e-6)


def test_whole_numbers_beyond_32_bits_stay_large(tmp_path: Path) -> None:
    content = dense_file(inputs={"when": (INT32, ["n", 1])}, width=1, last="Sigmoid")
    penguins = penguins_of(tmp_path, content, BINARY, inputs={"when": "year"}, missing={})
    model = load_model(penguins.train())
    rows = {name: np.zeros(2, values.numpy) for name, values in ((f.name, f.type) for f in model.signature.inputs)}
    answers = model.predict(rows | {"year": np.array([2**31 - 1, 2**31 + 5])})["probability"]
    assert answers[0] == answers[1]


def test_train_says_that_nothing_was_fitted_and_of_which_file_it_is(tmp_path: Path) -> None:
    penguins = penguins_of(tmp_path, matrix_file(), inputs={"X": NUMBERS})
    penguins.train()
    history = penguins.path("history of model")
    outcome = Outcome.load(history / "outcome.json") if (history / "outcome.json").exists() else None
    page = (history / "page.json").read_text()
    assert (
        "Nothing was fitted: file model.onnx; sha256 " in page and "Which rows it was trained on is not known" in page
    )
    assert outcome is None or outcome.verdict == "warn"
    assert "no input of the model takes some columns (3 of 7)" in page


def test_transform_and_tune_say_that_they_are_skipped(tmp_path: Path) -> None:
    penguins = penguins_of(tmp_path, dense_file())
    inputs = {name: penguins.path(name) for name in ("code", "examples", "schema")}
    folders = {name: tmp_path / name for name in ("transform_graph", "transformed")}
    for folder in folders.values():
        folder.mkdir()
    outcome = transform_examples(penguins.project, **inputs, blocked="", **folders)
    assert outcome.verdict == "skipped" and outcome.reason.startswith(
        "model.onnx takes the columns as they are; 276 train"
    )
    hyperparameters = tmp_path / "hyperparameters"
    hyperparameters.mkdir()
    given = {name: penguins.path(name) for name in ("code", "transform_graph", "transformed")}
    outcome = tune_hyperparameters(penguins.project, **given, hyperparameters=hyperparameters)
    assert outcome.verdict == "skipped" and "finished model" in outcome.reason
    assert read_json(hyperparameters / HYPERPARAMETERS) == {}


def test_the_same_file_gives_the_same_bytes_and_another_name_inside_of_it_changes_nothing(tmp_path: Path) -> None:
    first = penguins_of(tmp_path, dense_file()).train()
    renamed = onnx.load_model_from_string(dense_file())
    renamed.graph.name = "other"
    renamed.producer_name = "someone else"
    second = penguins_of(tmp_path / "second", renamed.SerializeToString()).train()
    assert (first / ONNX_MODEL).read_bytes() == (second / ONNX_MODEL).read_bytes()


def test_a_graph_inside_of_an_operator_keeps_what_it_takes_from_outside(tmp_path: Path) -> None:
    made = helper.make_tensor_value_info("part", FLOAT, None)
    branches = {
        name: helper.make_graph([helper.make_node("Mul", ["joined", factor], ["part"])], name, [], [made])
        for name, factor in (("then_branch", "two"), ("else_branch", "three"))
    }
    nodes = [
        helper.make_node("ReduceMax", ["joined"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "two"], ["is_large"]),
        helper.make_node("If", ["is_large"], ["scaled"], **branches),
        helper.make_node("Gemm", ["scaled", "weights"], ["made"]),
    ]
    weights = np.arange(12, dtype=np.float32).reshape(4, 3) / 1000
    constants = {"two": np.float32(2), "three": np.float32(3), "weights": weights}
    content = dense_file(nodes=nodes, constants=constants)
    rows, answers = served(penguins_of(tmp_path, content))
    assert answers["probabilities"] == pytest.approx(call(content, input=filled(rows))[0], abs=1e-6)


PREPROCESSING = f"""
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    numbers = tf.stack([inputs[name] for name in {NUMBERS!r}], axis=1)
    return {{"X": tf.where(tf.math.is_nan(numbers), tf.fill(tf.shape(numbers), 40.0), numbers)}}
"""


@pytest.mark.slow  # traces a graph with TensorFlow
def test_a_preprocessing_fn_in_front_makes_the_files_input(tmp_path: Path) -> None:
    content = matrix_file()
    penguins = make_penguins(tmp_path / "p", model=content, framework="onnx", preprocessing=PREPROCESSING, imported={})
    rows, answers = served(penguins)
    expected = call(content, X=filled(rows))[1]
    assert answers["probabilities"] == pytest.approx(
        np.array([[each[name] for name in CLASSES] for each in expected]), abs=1e-6
    )
