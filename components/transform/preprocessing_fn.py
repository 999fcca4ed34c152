"""Contract of the project's preprocessing_fn: it returns a dictionary of dense numbers, each [rows] or [rows, k]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from components._core.errors import UserCodeError
from components._core.types.feature_types import FLOAT32, INT64
from components._core.types.signature import Feature
from components.transform.line_breaks import replace_line_breaks

Tensors = dict[str, tf.Tensor]
Preprocessing = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]


def input_specs(features: tuple[Feature, ...]) -> dict[str, tf.TensorSpec]:
    """Return type and shape of each input: dense, [rows]."""
    return {feature.name: tf.TensorSpec([None], feature.type.tensorflow) for feature in features}


def held_to_contract(function: Preprocessing, file: str, multiline: frozenset[str] = frozenset()) -> Preprocessing:
    """Wrap the function to check its result and convert its numbers to model types: int64 or float32.

    Args:
        function: The project's preprocessing_fn.
        file: The file it comes from, for messages.
        multiline: Text features whose line breaks are replaced (`line_breaks.py`).

    Raises:
        UserCodeError: By the wrapped function, if the result is invalid.
    """

    def preprocessing_fn(inputs: Mapping[str, tf.Tensor]) -> Tensors:
        outputs = function(replace_line_breaks(inputs, multiline))
        if not isinstance(outputs, dict) or not outputs:
            raise _error(f"returned {_named(outputs)}", "return a dictionary of tensors by feature name", file)
        return {str(name): _usable(str(name), outputs[name], file) for name in sorted(outputs, key=str)}

    return preprocessing_fn


def _usable(name: str, tensor: Any, file: str) -> tf.Tensor:
    if isinstance(tensor, (tf.SparseTensor, tf.RaggedTensor)):
        raise _error(f"{name!r} is a {type(tensor).__name__}", "make it dense, as with tf.sparse.to_dense", file)
    if not isinstance(tensor, tf.Tensor):
        raise _error(f"{name!r} is {_named(tensor)}", "every value must be a tensor", file)
    rank = tensor.shape.rank
    # a first dimension that is already known during tracing is not the number of rows
    if rank not in (1, 2) or tensor.shape[0] is not None or (rank == 2 and tensor.shape[1] is None):
        message = f"{name!r} has shape {tensor.shape}; it must be [rows] or [rows, k] with k known"
        raise _error(message, "use tf.reshape or tf.ensure_shape", file)
    if tensor.dtype.is_floating:
        return tf.cast(tensor, FLOAT32.tensorflow)
    if tensor.dtype.is_integer or tensor.dtype.is_bool:
        return tf.cast(tensor, INT64.tensorflow)
    advice = "turn it into numbers, as with tft.compute_and_apply_vocabulary"
    raise _error(f"{name!r} is of type {tensor.dtype.name}, which a model cannot take", advice, file)


def _named(value: Any) -> str:
    empty = isinstance(value, dict) and not value
    return "nothing" if value is None else "an empty dictionary" if empty else f"a {type(value).__name__}"


def _error(message: str, remedy: str, file: str) -> UserCodeError:
    return UserCodeError(f"preprocessing_fn: {message}", where=file, remedy=remedy)
