"""Contract of the project's preprocessing_fn: it returns a dictionary of dense numbers: [rows], [rows, k], or of pictures [rows, height, width, channels]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass
class Contract:
    """What preprocessing_fn may return, and what it was found to return.

    Attributes:
        file: The file it comes from, for messages.
        framework: Name of the project's framework, where it takes no pictures; empty: it takes them.
        whole_bytes: Filled while the function is traced: the pictures that it gives as uint8. TensorFlow Transform has no such type,
            so its graph gives them as float32; the rows on disk, and the model, have uint8 again.
    """

    file: str
    framework: str = ""
    whole_bytes: set[str] = field(default_factory=set)


def held_to_contract(
    function: Preprocessing, contract: Contract, multiline: frozenset[str] = frozenset()
) -> Preprocessing:
    """Wrap the function to check its result and convert its numbers to model types: int64 or float32.

    What has more than two dimensions may be uint8 too: a picture takes a quarter of the room then, and the model scales its numbers.

    Args:
        function: The project's preprocessing_fn.
        contract: What it may return.
        multiline: Text features whose line breaks are replaced (`line_breaks.py`).

    Raises:
        UserCodeError: By the wrapped function, if the result is invalid.
    """

    def preprocessing_fn(inputs: Mapping[str, tf.Tensor]) -> Tensors:
        outputs = function(replace_line_breaks(inputs, multiline))
        if not isinstance(outputs, dict) or not outputs:
            raise _error(f"returned {_named(outputs)}", "return a dictionary of tensors by feature name", contract.file)
        return {str(name): _usable(str(name), outputs[name], contract) for name in sorted(outputs, key=str)}

    return preprocessing_fn


def _usable(name: str, tensor: Any, contract: Contract) -> tf.Tensor:
    file = contract.file
    if isinstance(tensor, (tf.SparseTensor, tf.RaggedTensor)):
        raise _error(f"{name!r} is a {type(tensor).__name__}", "make it dense, as with tf.sparse.to_dense", file)
    if not isinstance(tensor, tf.Tensor):
        raise _error(f"{name!r} is {_named(tensor)}", "every value must be a tensor", file)
    rank = tensor.shape.rank
    # a first dimension that is already known during tracing is not the number of rows
    if not rank or tensor.shape[0] is not None or None in tensor.shape[1:] or 0 in tensor.shape[1:]:
        message = f"{name!r} has shape {tensor.shape}; it must be [rows], [rows, k] or [rows, height, width, channels] with known sizes"
        raise _error(message, "use tf.reshape or tf.ensure_shape", file)
    if rank > 2 and contract.framework:
        message = f"{name!r} has shape {tensor.shape}, and {contract.framework!r} takes tables: [rows] or [rows, k]"
        raise _error(message, "make one vector per row of it with tf.reshape, or use code.framework: keras", file)
    if rank > 2 and tensor.dtype == tf.uint8:
        contract.whole_bytes.add(name)
        return tf.cast(tensor, FLOAT32.tensorflow)
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
