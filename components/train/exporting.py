"""Save the model with the transform graph inside: raw, named features in, named outputs out; TensorFlow alone serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components._core.artifacts import SAVED_MODEL
from components._core.features import Signature, outputs_of
from components._model.building import as_model_inputs, fed_columns
from components._model.calling import tensor_names
from components._model.canonical import make_canonical
from components._model.datasets import Column
from components._model.failures import full_disk_told

_TENSOR_TYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}


class Served(tf.Module):
    """What is saved: the transform graph, the model, and the function that joins them."""

    def __init__(self, transform: Any, model: keras.Model, columns: tuple[Column, ...], signature: Signature) -> None:
        super().__init__()
        self.transform = transform
        self.model = model
        self._fed = fed_columns(model, columns)
        self._signature = signature
        self.names = tensor_names(signature.inputs)
        self._classes = tf.constant(list(signature.classes), tf.string)

    def call(self, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Outputs by name for raw features by the names of `calling.tensor_names`, each [rows]."""
        features = {feature: tensors[name] for feature, name in self.names.items()}
        transformed = self.transform.transform_fn(features)
        scores = tf.cast(self.model(as_model_inputs(transformed, self._fed), training=False), tf.float32)
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
    named = [(served.names[feature.name], _TENSOR_TYPES[feature.dtype]) for feature in signature.inputs]
    specs = {name: tf.TensorSpec([None], dtype, name) for name, dtype in named}
    function = tf.function(served.call, autograph=False).get_concrete_function(**specs)
    with full_disk_told("writing the model"):
        tf.saved_model.save(served, str(folder / SAVED_MODEL), signatures={"serving_default": function})
        make_canonical(folder / SAVED_MODEL)
    signature.save(folder)
