"""Save the model with the transform graph inside: raw, named features in, named outputs out; TensorFlow alone serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components._core.artifacts import SAVED_MODEL
from components._core.features import Signature, outputs_of
from components._model.building import as_model_inputs, input_names
from components._model.datasets import Column
from components._model.disk import full_disk_told

_TENSOR_TYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}


class Served(tf.Module):
    """What is saved: the transform graph, the model, and the function that joins them."""

    def __init__(self, transform: Any, model: keras.Model, columns: tuple[Column, ...], signature: Signature) -> None:
        super().__init__()
        self.transform = transform
        self.model = model
        self._columns = input_names(model, columns)
        self._signature = signature
        self._classes = tf.constant(list(signature.classes), tf.string)

    def call(self, **features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Outputs by name for raw features by name, each [rows]."""
        transformed = self.transform.transform_fn(features)
        scores = tf.cast(self.model(as_model_inputs(transformed, self._columns), training=False), tf.float32)
        if self._signature.task == "multiclass_classification":
            return {"probabilities": scores, "class": tf.gather(self._classes, tf.argmax(scores, axis=-1))}
        (name,) = outputs_of(self._signature.task)
        return {name: tf.reshape(scores, [-1])}


def export(
    transform_fn: Path, model: keras.Model, columns: tuple[Column, ...], signature: Signature, folder: Path
) -> None:
    """Write the model artifact: `saved_model/` and `signature.json`.

    Args:
        transform_fn: The transform graph's own SavedModel.
        model: The fitted model.
        columns: The transformed features.
        signature: What is served.
        folder: The artifact.
    """
    served = Served(tf.saved_model.load(str(transform_fn)), model, columns, signature)
    specs = {
        feature.name: tf.TensorSpec([None], _TENSOR_TYPES[feature.dtype], name=feature.name)
        for feature in signature.inputs
    }
    function = tf.function(served.call, autograph=False).get_concrete_function(**specs)
    with full_disk_told("writing the model"):
        tf.saved_model.save(served, str(folder / SAVED_MODEL), signatures={"serving_default": function})
    signature.save(folder)
