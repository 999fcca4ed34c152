"""The transform graph as a SavedModel of its own, in front of a model that is no SavedModel: raw columns in, transformed features out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from components._core.errors import ModelError, UserCodeError
from components._core.types.signature import Feature
from components._frameworks.saved_models.canonical import make_canonical
from components._frameworks.saved_models.saved_graph import find_misuses
from components._frameworks.saved_models.session import CALL_ERRORS, LOAD_ERRORS, REMEDY, open_callable
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.saved_models.tensorflow_errors import reason_of, report_full_disk


class _Front(tf.Module):
    """What is saved: the serving function reads the tables of the transform graph."""

    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform


def export_front(transform_fn: Path, inputs: tuple[Feature, ...], features: Sequence[str], folder: Path) -> None:
    """Write the transform graph as a SavedModel with one output for each transformed feature; equal graphs give equal bytes.

    Args:
        transform_fn: TensorFlow Transform's own SavedModel.
        inputs: The raw columns.
        features: Names of the transformed features, in the order of the outputs.
        folder: The new SavedModel.

    Raises:
        UserCodeError: When the graph would read or write files, or run Python, while it serves.
        NaruError: When the disk is full.
    """
    transform = tf.saved_model.load(str(transform_fn))
    names = tensor_names(inputs)

    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        made = transform.transform_fn({feature: tensors[name] for feature, name in names.items()})
        return {name: made[feature] for name, feature in zip(_outputs(len(features)), features, strict=True)}

    specs = {names[each.name]: tf.TensorSpec([None], each.type.tensorflow, names[each.name]) for each in inputs}
    function = tf.function(serve, autograph=False).get_concrete_function(**specs)
    with report_full_disk("writing the model"):
        tf.saved_model.save(_Front(transform), str(folder), signatures={SERVING: function})
        make_canonical(folder)
    if found := find_misuses(folder):
        problem = f"cannot be served: its TensorFlow operation {found[0]}"
        remedy = "read and write no files in preprocessing_fn, and use TensorFlow's own operations in place of tf.py_function"
        raise UserCodeError(problem, where="preprocessing_fn", remedy=remedy)


class TransformFront:
    """The SavedModel in memory.

    Args:
        inputs: The raw columns.
        features: Number of transformed features.
        saved_model: Its folder.

    Raises:
        ModelError: When it is damaged or does not fit.
    """

    def __init__(self, inputs: tuple[Feature, ...], features: int, saved_model: Path) -> None:
        try:
            self._call = open_callable(inputs, _outputs(features), saved_model)
        except LOAD_ERRORS as error:
            raise ModelError(f"does not load: {reason_of(error)}", where=str(saved_model), remedy=REMEDY) from error

    def transform(self, columns: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the transformed features of some rows, in their order.

        Args:
            columns: Raw columns in the order of the inputs, each [rows].

        Raises:
            ModelError: When the graph fails on the rows.
        """
        try:
            return list(self._call(*columns))
        except CALL_ERRORS as error:
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error


def _outputs(count: int) -> list[str]:
    """Names of the outputs: a feature may be called anything, and a SavedModel does not allow any name."""
    return [f"feature_{number}" for number in range(count)]
