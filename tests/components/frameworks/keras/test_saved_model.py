from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components._core.errors import ModelError
from components._core.examples.artifact import read_head
from components._core.types.signature import Feature, Signature, to_arrays
from components._frameworks.saved_models.session import open_callable
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.table import load_model
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from tests.components.small_flights import Small


@pytest.fixture
def copy(small: Small, tmp_path: Path) -> Path:
    """As an earlier Naru left it: without the digests of its files, which would tell first what is wrong."""
    model = shutil.copytree(small.path("model"), tmp_path / "model")
    (model / "sha256.json").unlink()
    return model


@pytest.mark.parametrize("part", ["saved_model/saved_model.pb", "saved_model/assets/carrier", "signature.json"])
def test_what_train_has_made_is_not_loaded_once_a_bit_of_it_has_changed(small: Small, tmp_path: Path, part: str):
    model = shutil.copytree(small.path("model"), tmp_path / "model")
    content = bytearray((model / part).read_bytes())
    content[len(content) // 2] ^= 1
    (model / part).write_bytes(content)
    with pytest.raises(ModelError, match=f"{part} has changed"):
        load_model(model)


def test_a_missing_part_is_named(copy: Path):
    (copy / "signature.json").unlink()
    with pytest.raises(ModelError, match=r"signature\.json: is missing"):
        load_model(copy)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_does_not_load(copy: Path, part: str):
    (copy / "saved_model" / part).write_bytes(b"\x01damaged")
    with pytest.raises(ModelError, match="does not load"):
        load_model(copy)


def test_a_model_whose_variables_stay_empty_does_not_load(copy: Path):
    shutil.rmtree(copy / "saved_model")
    signature = Signature("regression", (Feature("x", "float32", False),), {"prediction": "float32"}, ())
    signature.save(copy)
    module = tf.Module()
    module.dense = keras.layers.Dense(1)
    module.dense.build((None, 1))

    def serve(x):
        return {"prediction": module.dense(x[:, None])[:, 0]}

    function = tf.function(serve, autograph=False).get_concrete_function(x=tf.TensorSpec([None], tf.float32, "x"))
    tf.saved_model.save(module, str(copy / "saved_model"), signatures={"serving_default": function})
    with pytest.raises(ModelError, match=r"saved_model: does not load: its variable .* stays empty"):
        load_model(copy)


def test_a_signature_that_names_what_the_model_does_not_take_does_not_load(copy: Path):
    signature = Signature.load(copy)
    more = (*signature.inputs, Feature("weight", "float32", False))
    Signature(signature.task, more, signature.outputs, signature.classes).save(copy)
    with pytest.raises(
        ModelError, match=r"saved_model: does not load: it takes no 'weight', which signature\.json names"
    ):
        load_model(copy)


def test_it_answers_as_the_function_that_was_saved(small: Small):
    loaded = load_model(small.path("model"))
    rows = to_arrays(read_head(small.path("examples"), "test", 200), loaded.signature.inputs)
    function = loaded.serve({feature.name: tf.constant(rows[feature.name]) for feature in loaded.signature.inputs})
    answered = loaded.predict(rows)
    assert answered.keys() == function.keys()
    for name, values in answered.items():
        np.testing.assert_allclose(values, function[name].numpy(), atol=1e-6)


@pytest.mark.slow
def test_loops_branches_and_data_sets_run_in_the_threads_that_call(tmp_path: Path):
    """TensorFlow's pool takes no part in a call, so nothing in a graph may wait for a thread of it."""
    features = (Feature("x", "float32", False),)
    (name,) = tensor_names(features).values()

    class Loops(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=name)])
        def serve(self, x):
            pairs = tf.stack([x, x], 1)
            for _ in range(50):
                pairs = tf.matmul(pairs, tf.constant([[0.5, 0.1], [0.2, 0.5]])) + tf.matmul(pairs, 0.1 * tf.eye(2))
            _, grown = tf.while_loop(lambda i, _: i < 100, lambda i, v: (i + 1, v * 1.01), (tf.constant(0), x))
            mapped = tf.map_fn(lambda v: tf.reduce_sum(tf.range(3.0) * v), x)
            counted = tf.data.Dataset.range(5).reduce(tf.constant(0, tf.int64), lambda s, v: s + v)
            return {"y": pairs[:, 0] + grown + mapped + tf.cast(counted, tf.float32)}

    module = Loops()
    tf.saved_model.save(module, str(tmp_path), signatures={SERVING: module.serve})
    call, given = open_callable(features, ["y"], tmp_path), np.arange(20, dtype=np.float32)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: call(given)[0], range(40)))
    np.testing.assert_allclose(answers, np.stack([module.serve(given)["y"].numpy()] * 40), rtol=1e-5)


def test_what_preprocessing_fn_makes_is_what_the_model_was_trained_on(small: Small):
    loaded = load_model(small.path("model"))
    rows = read_head(small.path("examples"), "eval", 50)
    made = loaded.transform(to_arrays(rows, loaded.signature.inputs))
    expected, _ = TransformedRows(transformed_file(small.path("transformed"), "eval")).head(50)
    assert made is not None and sorted(made) == sorted(expected)
    for name, values in expected.items():
        assert np.allclose(made[name], values, atol=1e-6), name


def test_a_missing_feature_is_named(small: Small):
    loaded = load_model(small.path("model"))
    rows = to_arrays(read_head(small.path("examples"), "test", 3), loaded.signature.inputs)
    with pytest.raises(ModelError, match="feature carrier: is missing"):
        loaded.predict({name: values for name, values in rows.items() if name != "carrier"})
    with pytest.raises(ModelError, match=r"feature hour: has shape \[3, 1\], must be \[rows\]"):
        loaded.predict({**rows, "hour": rows["hour"][:, None]})
    with pytest.raises(ModelError, match="feature hour: is not int64"):
        loaded.predict({**rows, "hour": np.array(["a", "b", "c"], dtype=object)})


def test_names_that_tensorflow_cannot_take_are_spelt_out_and_stay_apart():
    names = ["age", "Age", "sepal length", "class", "self", "Fare", "_row", "row", "column_sepal_20_length", "__"]
    tensors = tensor_names(tuple(Feature(name, "float32", False) for name in names))
    assert tensors["Fare"] == "Fare" and tensors["sepal length"] == "column_sepal_20_length"
    assert len({name.lower() for name in tensors.values()}) == len(names)
