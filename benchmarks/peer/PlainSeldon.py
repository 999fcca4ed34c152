"""The least that serves a SavedModel on seldon-core: the casts that a SavedModel needs, and its signature called.

Started by seldon-core itself, which finds the class by the module's name:

    PREDICTIVE_UNIT_PARAMETERS=... seldon-core-microservice PlainSeldon --service-type MODEL
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class PlainSeldon:
    """A SavedModel and nothing else."""

    def __init__(self, saved_model: str) -> None:
        self._folder = saved_model

    def load(self) -> None:
        """In each worker: TensorFlow does not survive a fork."""
        self._model = tf.saved_model.load(self._folder)
        self._serve = self._model.signatures["serving_default"]
        self._types = {name: spec.dtype for name, spec in self._serve.structured_input_signature[1].items()}

    def predict(self, columns: dict[str, list[Any]], names: Any, meta: Any = None) -> dict[str, Any]:
        """Outputs by name, for values by feature name."""
        tensors = {name: tf.constant(values, self._types[name]) for name, values in columns.items()}
        return {name: _plain(tensor.numpy()) for name, tensor in self._serve(**tensors).items()}


def _plain(values: Any) -> list[Any]:
    return [value.decode() for value in values] if values.dtype == object else values.tolist()
