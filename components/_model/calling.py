"""Call a saved model as a server would: raw, named features in, named outputs out.

Needs TensorFlow and nothing else: the transform graph is inside the SavedModel, so TensorFlow Transform is not imported.
"""

from __future__ import annotations

import keyword
import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from components._core.artifacts import MODEL_FILES, SAVED_MODEL
from components._core.errors import ModelError
from components._core.features import Feature, Signature
from components._model.failures import reason_of

SERVING = "serving_default"
_TENSOR_TYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}
_SPELT_OUT = "column_"
_LOOKS_SPELT_OUT = re.compile(_SPELT_OUT + r"(?:[a-z0-9]|_[0-9a-f]+_)*$", re.IGNORECASE)


def tensor_names(features: tuple[Feature, ...]) -> dict[str, str]:
    """What each feature is called in the SavedModel's signature, by the feature's name.

    That is its own name where TensorFlow can take it: where Python could name an argument so, it does not begin with an
    underscore (TensorFlow would leave that out), and no other differs in case only. Any other is spelt out, as in
    `column_sepal_20_length` for `sepal length`; so is one that looks spelt out itself.
    """
    lowered = Counter(feature.name.lower() for feature in features)
    own = {name for name in (feature.name for feature in features) if _is_argument(name) and lowered[name.lower()] == 1}
    return {feature.name: feature.name if feature.name in own else _spelt_out(feature.name) for feature in features}


def _is_argument(name: str) -> bool:
    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    return plain and name != "self" and not name.startswith("_") and not _LOOKS_SPELT_OUT.match(name)


def _spelt_out(name: str) -> str:
    plain = string.ascii_lowercase + string.digits
    return _SPELT_OUT + "".join(sign if sign in plain else f"_{ord(sign):x}_" for sign in name)


class LoadedModel:
    """A model in memory.

    Attributes:
        signature: What it takes and gives.
    """

    def __init__(self, signature: Signature, restored: Any) -> None:
        self.signature = signature
        self._names = tensor_names(signature.inputs)
        self._restored = restored  # keeps the variables and vocabulary tables alive
        self._serve = restored.signatures[SERVING]

    def predict(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name for the rows given; the names and shapes are those of `Signature.outputs`.

        Args:
            arrays: One vector [rows] per feature, as `features.to_arrays` makes them; further names are ignored.

        Raises:
            ModelError: When a feature is missing, has another shape or type, or the model itself fails.
        """
        tensors = {self._names[feature.name]: _tensor(feature, arrays) for feature in self.signature.inputs}
        try:
            outputs = self._serve(**tensors)
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error
        return {name: _array(outputs[name]) for name in self.signature.outputs}

    def serve(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The serving function itself, tensors by feature name in and outputs out, so that gradients flow through it."""
        outputs: dict[str, tf.Tensor] = self._serve(**{self._names[name]: tensor for name, tensor in tensors.items()})
        return outputs


def load_model(model: Path) -> LoadedModel:
    """Load the model artifact that train wrote.

    Args:
        model: The artifact's folder, with `saved_model/` and `signature.json`.

    Raises:
        ModelError: When it is missing, incomplete or damaged.
    """
    for needed in (model / name for name in MODEL_FILES):
        if not needed.is_file():
            raise ModelError("is missing", where=str(needed), remedy="train the model again")
    try:
        signature = Signature.load(model)
        restored = tf.saved_model.load(str(model / SAVED_MODEL))
        return LoadedModel(signature, restored)
    except (tf.errors.OpError, DecodeError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"does not load: {reason_of(error)}", where=str(model), remedy="train the model again"
        ) from error


def _tensor(feature: Feature, arrays: dict[str, NDArray[Any]]) -> tf.Tensor:
    if feature.name not in arrays:
        raise ModelError("is missing", where=f"feature {feature.name}", remedy="give every feature of the signature")
    values = arrays[feature.name]
    if values.ndim != 1:
        raise ModelError(f"has shape {list(values.shape)}, must be [rows]", where=f"feature {feature.name}")
    try:
        return tf.convert_to_tensor(values, dtype=_TENSOR_TYPES[feature.dtype])
    except (tf.errors.OpError, TypeError, ValueError) as error:
        told = f"is no {feature.dtype}: {reason_of(error)}"
        raise ModelError(
            told, where=f"feature {feature.name}", remedy="make the arrays with features.to_arrays"
        ) from error


def _array(output: tf.Tensor) -> NDArray[Any]:
    values = np.asarray(output.numpy())
    if output.dtype != tf.string:
        return values
    return np.array([value.decode("utf-8") for value in values], dtype=object)
