"""Variants of a Keras model answer like it: its graph folded, compiled, and as ONNX behind TensorFlow's tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from onnx import TensorProto, helper
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from components._core.errors import ModelError
from components._core.examples.artifact import read_head
from components._core.types.artifact_files import ONNX_MODEL, SAVED_MODEL
from components._core.types.signature import Feature, Signature, to_arrays
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays
from components._frameworks.keras.onnx_operators import convert_operations
from components._frameworks.keras.variants import make_variant
from components._frameworks.onnx_models.onnx_model import open_session
from components._frameworks.onnx_models.onnx_names import Names
from components._frameworks.onnx_models.task_outputs import AddedNodes, make_model
from components._frameworks.table import check_model_files, load_model
from components.evaluate.unusual_rows import describe_difference
from tests.components.small_flights import Small
from tests.components.tiny_models import FEATURES, write_model


@pytest.fixture(scope="module")
def rows(small: Small) -> Arrays:
    inputs = Signature.load(small.path("model")).inputs
    return to_arrays(read_head(small.path("examples"), "test", 300, [each.name for each in inputs]), inputs)


@pytest.mark.parametrize(
    ("name", "framework", "apart"),
    [
        ("folded", "keras", 1e-6),
        ("onnx", "onnx", 1e-6),
        pytest.param("xla", "keras", 1e-5, marks=pytest.mark.slow),
        pytest.param("int8", "onnx", 0.05, marks=pytest.mark.slow),
    ],
)
def test_a_variant_answers_like_the_model(
    name: str, framework: str, apart: float, small: Small, rows: Arrays, tmp_path: Path
) -> None:
    make_variant(name, small.path("model"), tmp_path, rows)
    check_model_files(tmp_path)
    original, variant = load_model(small.path("model")), load_model(tmp_path)
    assert variant.signature.framework == framework
    assert variant.signature.inputs == original.signature.inputs
    expected, found = original.predict(rows)["probability"], variant.predict(rows)["probability"]
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.abs(found - expected).max() < apart
    alone = variant.predict({each: values[7:8] for each, values in rows.items()})["probability"]
    assert alone == pytest.approx(found[7:8], abs=1e-5)


def test_texts_that_training_never_saw_are_answered_alike(small: Small, rows: Arrays, tmp_path: Path) -> None:
    make_variant("onnx", small.path("model"), tmp_path, rows)
    strange = {**rows, "carrier": np.array(["??"] * 300, object), "dest": np.array([""] * 300, object)}
    expected = load_model(small.path("model")).predict(strange)["probability"]
    assert load_model(tmp_path).predict(strange)["probability"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_rows_that_eval_rows_may_lack_are_answered_alike(small: Small, rows: Arrays, tmp_path: Path) -> None:
    original, task = load_model(small.path("model")), TASKS["binary_classification"]
    for name in ("folded", "xla", "onnx"):
        (tmp_path / name).mkdir()
        make_variant(name, small.path("model"), tmp_path / name, rows)
        assert describe_difference(original, load_model(tmp_path / name), task, rows, 1e-4, 1.0) == ""


@pytest.mark.slow
def test_equal_models_have_equal_variants_byte_for_byte(small: Small, rows: Arrays, tmp_path: Path) -> None:
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        make_variant("onnx", small.path("model"), tmp_path / folder, rows)
    files = sorted(path.relative_to(tmp_path / "once") for path in (tmp_path / "once").rglob("*") if path.is_file())
    assert Path(ONNX_MODEL) in files and Path(SAVED_MODEL) / "saved_model.pb" in files
    different = [
        str(name)
        for name in files
        if (tmp_path / "once" / name).read_bytes() != (tmp_path / "again" / name).read_bytes()
    ]
    assert different == []


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
@pytest.mark.parametrize("name", ["folded", "onnx"])
def test_every_task_has_its_outputs(name: str, task: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "variant").mkdir()
    write_model(tmp_path / "model", task)
    given: Arrays = {
        "delay": np.array([1.0, np.nan, 40.0], np.float32),
        "month": np.array([1, 6, 12]),
        "carrier": np.array(["AA", "CC", "?"], object),
        "noise": np.zeros(3, np.float32),
    }
    make_variant(name, tmp_path / "model", tmp_path / "variant", given)
    expected, found = load_model(tmp_path / "model").predict(given), load_model(tmp_path / "variant").predict(given)
    assert expected.keys() == found.keys() and {each.name for each in FEATURES} == given.keys()
    for output, values in expected.items():
        if values.dtype == object:
            assert found[output].tolist() == values.tolist()
        else:
            assert found[output] == pytest.approx(values, abs=1e-5, nan_ok=True)


class _Numbers(tf.Module):
    """A model of numbers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = tf.Variable([2.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "a"), tf.TensorSpec([None], tf.float32, "unused")])
    def serve(self, a: tf.Tensor, unused: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"prediction": a * self.slope + 1.0}


def test_a_model_of_numbers_is_onnx_as_a_whole_and_served_without_tensorflow(tmp_path: Path) -> None:
    module = _Numbers()
    tf.saved_model.save(module, str(tmp_path / "model" / SAVED_MODEL), signatures={"serving_default": module.serve})
    inputs = (Feature("a", "float32", False), Feature("unused", "float32", False))
    Signature("regression", inputs, TASKS["regression"].output_types, ()).save(tmp_path / "model")
    (tmp_path / "variant").mkdir()
    rows: Arrays = {"a": np.array([1.0, -2.0], np.float32), "unused": np.zeros(2, np.float32)}
    make_variant("onnx", tmp_path / "model", tmp_path / "variant", rows)
    assert not (tmp_path / "variant" / SAVED_MODEL).exists()
    assert load_model(tmp_path / "variant").predict(rows)["prediction"].tolist() == [3.0, -3.0]


def test_an_operator_without_a_form_in_onnx_is_named(tmp_path: Path) -> None:
    class Strange(_Numbers):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "a")])
        def serve(self, a: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"prediction": tf.math.lgamma(a) * self.slope}

    module = Strange()
    tf.saved_model.save(module, str(tmp_path / "model" / SAVED_MODEL), signatures={"serving_default": module.serve})
    Signature("regression", (Feature("a", "float32", False),), TASKS["regression"].output_types, ()).save(
        tmp_path / "model"
    )
    (tmp_path / "variant").mkdir()
    with pytest.raises(ModelError, match="the operator Lgamma of TensorFlow has no form in ONNX here"):
        make_variant("onnx", tmp_path / "model", tmp_path / "variant", {"a": np.ones(2, np.float32)})


@pytest.mark.parametrize("name", ["folded", pytest.param("xla", marks=pytest.mark.slow), "onnx"])
def test_a_model_that_refuses_values_has_no_variant_that_answers_them(name: str, tmp_path: Path) -> None:
    class Refusing(_Numbers):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "a")])
        def serve(self, a: tf.Tensor) -> dict[str, tf.Tensor]:
            tf.debugging.assert_non_negative(a)
            return {"prediction": a * self.slope}

    module = Refusing()
    tf.saved_model.save(module, str(tmp_path / "model" / SAVED_MODEL), signatures={"serving_default": module.serve})
    Signature("regression", (Feature("a", "float32", False),), TASKS["regression"].output_types, ()).save(
        tmp_path / "model"
    )
    (tmp_path / "variant").mkdir()
    with pytest.raises(ModelError, match="it refuses values while it runs"):
        make_variant(name, tmp_path / "model", tmp_path / "variant", {"a": np.ones(2, np.float32)})


X = np.array([[-1.5, 0.0, 2.0], [0.5, 3.0, -0.25]], np.float32)
LAYERS: dict[str, Callable[[], Any]] = {
    **{
        name: lambda name=name: keras.layers.Dense(4, activation=name)
        for name in ("gelu", "hard_sigmoid", "leaky_relu", "log_softmax", "relu6", "softplus", "swish")
    },
    "batch normalization": keras.layers.BatchNormalization,
    "dot": lambda: keras.layers.Dot(axes=1),
    "layer normalization": keras.layers.LayerNormalization,
    "maximum": keras.layers.Maximum,
    "normalization": lambda: keras.layers.Normalization(mean=[0.5, 1.0, 2.0], variance=[1.0, 2.0, 3.0]),
    "prelu": keras.layers.PReLU,
    "reshape": lambda: keras.layers.Reshape((3, 1)),
    "subtract": keras.layers.Subtract,
    "unit normalization": keras.layers.UnitNormalization,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_calculates_the_same_as_onnx(name: str) -> None:
    layer = LAYERS[name]()
    merging = isinstance(layer, keras.layers.Dot | keras.layers.Maximum | keras.layers.Subtract)

    def call(x: tf.Tensor) -> tf.Tensor:
        return layer([x, x * x - 1.0]) if merging else layer(x)

    expected = np.asarray(call(tf.constant(X)))
    function = tf.function(call).get_concrete_function(tf.TensorSpec([None, 3], tf.float32))
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    added = AddedNodes(Names(["x"]))
    made = convert_operations(frozen.outputs[0], {frozen.inputs[0].name: "x"}, added)
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    given = helper.make_tensor_value_info(made, TensorProto.FLOAT, [None] * expected.ndim)
    graph = helper.make_graph(added.nodes, "graph", [taken], [given], added.constants)
    session = open_session(make_model(graph, {"": 17}, 8).SerializeToString())
    assert session.run(None, {"x": X})[0] == pytest.approx(expected, abs=2e-6)
