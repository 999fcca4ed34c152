"""Call a saved model as a server would: raw, named features in, named outputs out.

Needs TensorFlow and nothing else: the transform graph is inside the SavedModel, so TensorFlow Transform is not imported.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import Gradients, Model
from components._frameworks.feature_arrays import take_feature
from components._frameworks.keras.gradients import gradients_of, plain_values
from components._frameworks.keras.structure import inputs_that_reach
from components._frameworks.saved_models.session import CALL_ERRORS, LOAD_ERRORS, REMEDY, as_array, open_callable
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.saved_models.tensorflow_errors import reason_of

_PICTURES = 128
"""Rows with pictures per call of the graph."""


class LoadedModel(Model):
    """A SavedModel in memory.

    It is called through a session, not as TensorFlow 2's function: the answers are the same but for the last bits of a float32, and
    Python's part of a call, most of it for a few rows, is a fraction of a function's.

    Args:
        signature: What it takes and gives.
        saved_model: Its SavedModel's folder; it must stay for `serve`.

    Attributes:
        signature: What it takes and gives.
    """

    def __init__(self, signature: Signature, saved_model: Path) -> None:
        self.signature = signature
        self._saved_model = saved_model
        self._names = tensor_names(signature.inputs)
        self._types = [(feature.name, feature.type) for feature in signature.inputs]
        self._most_rows = _PICTURES if signature.picture_names else 0
        self._call = open_callable(signature.inputs, list(signature.outputs), saved_model)

    def predict(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        fed = [take_feature(name, kind, arrays) for name, kind in self._types]
        try:
            if self._most_rows and fed and len(fed[0]) > self._most_rows:
                return self._predict_in_pieces(fed)
            outputs = map(as_array, self._call(*fed))
            return dict(zip(self.signature.outputs, outputs, strict=True))
        except CALL_ERRORS as error:
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error

    def _predict_in_pieces(self, fed: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer rows with pictures some at a time: what is decoded, and what layers make of it, is many times as large."""
        parts = [
            list(map(as_array, self._call(*(values[start : start + self._most_rows] for values in fed))))
            for start in range(0, len(fed[0]), self._most_rows)
        ]
        return {
            name: np.concatenate([part[place] for part in parts]) for place, name in enumerate(self.signature.outputs)
        }

    def serve(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The serving function itself, tensors by feature name in and outputs out, so that gradients flow through it."""
        outputs: dict[str, tf.Tensor] = self._function(**{self._names[name]: value for name, value in tensors.items()})
        return outputs

    def gradients(self) -> Gradients:
        return gradients_of(self.signature, self.serve)

    def connected_inputs(self) -> frozenset[str]:
        return inputs_that_reach(self._saved_model, self.signature)

    def transform(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]] | None:
        front = getattr(getattr(self._restored, "transform", None), "transform_fn", None)
        if front is None:  # a model that was not made by train
            return None
        given = {
            name: tf.convert_to_tensor(plain_values(take_feature(name, kind, arrays))) for name, kind in self._types
        }
        try:
            return {name: as_array(values.numpy()) for name, values in sorted(front(given).items())}
        except CALL_ERRORS as error:
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error

    @cached_property
    def _restored(self) -> Any:
        return tf.saved_model.load(str(self._saved_model))  # keeps the variables and vocabulary tables alive

    @cached_property
    def _function(self) -> Any:
        return self._restored.signatures[SERVING]


def open_model(signature: Signature, model: Path) -> LoadedModel:
    """Bring a model artifact into memory, whose files were verified and checked before.

    Args:
        signature: The model's signature.
        model: The artifact's folder; it must stay where it is while the model is used.

    Raises:
        ModelError: When the SavedModel is damaged or does not fit the signature.
    """
    try:
        return LoadedModel(signature, model / SAVED_MODEL)
    except LOAD_ERRORS as error:
        raise ModelError(f"does not load: {reason_of(error)}", where=str(model), remedy=REMEDY) from error
