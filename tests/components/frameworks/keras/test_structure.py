from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.keras.structure import inputs_that_reach
from components._frameworks.saved_models.tensor_names import tensor_names
from components._frameworks.table import load_model
from tests.components.tiny_models import write_model


def test_the_graph_tells_which_inputs_reach_the_output(tmp_path: Path) -> None:
    model = load_model(write_model(tmp_path, "multiclass_classification"))
    assert model.connected_inputs() == {"delay", "month", "carrier"}


def test_a_feature_that_tensorflow_cannot_name_is_reached_by_its_own_name(tmp_path: Path) -> None:
    features = tuple(Feature(name, "float32", False) for name in ("used twice", "left"))
    tensors = {name: tf.TensorSpec([None], tf.float32, name) for name in tensor_names(features).values()}
    serve = tf.function(lambda **given: {"prediction": given["column_used_20_twice"] * 2.0})
    serving = {"serving_default": serve.get_concrete_function(**tensors)}
    tf.saved_model.save(tf.Module(), str(tmp_path / SAVED_MODEL), signatures=serving)
    signature = Signature("regression", features, TASKS["regression"].output_types, ())
    assert inputs_that_reach(tmp_path / SAVED_MODEL, signature) == {"used twice"}
