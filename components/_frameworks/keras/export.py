"""Save the model with the transform graph inside: raw, named features in, named outputs out; TensorFlow alone serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components._core.errors import ModelError, UserCodeError
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Output
from components._frameworks.keras.build_model import as_model_inputs, fed_columns
from components._frameworks.saved_models.canonical import make_canonical
from components._frameworks.saved_models.saved_graph import find_misuses
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.saved_models.tensorflow_errors import reason_of, report_full_disk
from components._frameworks.transformed_rows import Column


class Served(tf.Module):
    """What is saved: what the serving function holds of the transform graph and of the model.

    Of the model these are the variables that the function reads, as TensorFlow knows them, and the tables. The Keras model itself,
    saved by TensorFlow, restores its weights into copies that the function does not read, unless Python's
    `tf.saved_model.load` puts them right: every server that loads SavedModels without Python would find them empty. It would
    bring the optimizer's state along, too.
    """

    def __init__(self, transform: Any, model: keras.Model, function: Any) -> None:
        super().__init__()
        self.transform = transform
        known = [variable.value for variable in model.variables]
        others = [read for read in function.variables if not any(read is variable for variable in known)]
        self.weights = [
            *known,
            *sorted(others, key=lambda variable: variable.name),
        ]  # the function has them in no order
        below = tf.train.TrackableView(model).descendants()
        self.tables = [part for part in below if isinstance(part, tf.saved_model.experimental.TrackableResource)]


def export(
    transform_fn: Path, model: keras.Model, columns: tuple[Column, ...], signature: Signature, folder: Path
) -> None:
    """Write the model artifact: `saved_model/`, `signature.json`, and the digests of both.

    Args:
        transform_fn: The transform graph's own SavedModel.
        model: The fitted model.
        columns: The transformed features.
        signature: What is served.
        folder: The artifact.

    Raises:
        ModelError: When the model uses a table that no layer holds.
        UserCodeError: When the model would read or write files, or run Python, while it serves.
    """
    transform = tf.saved_model.load(str(transform_fn))
    names, fed = tensor_names(signature.inputs), fed_columns(model, columns)
    classes = tf.constant(list(signature.classes), tf.string)

    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = transform.transform_fn({feature: tensors[name] for feature, name in names.items()})
        inputs = {name: tf.cast(values, fed[name].dtype) for name, values in as_model_inputs(transformed, fed).items()}
        scores = tf.cast(model(inputs, training=False), tf.float32)
        return {output.name: _answer(output, scores, classes) for output in TASKS[signature.task].outputs}

    named = [(names[feature.name], feature.type.tensorflow) for feature in signature.inputs]
    specs = {name: tf.TensorSpec([None], dtype, name) for name, dtype in named}
    function = tf.function(serve, autograph=False).get_concrete_function(**specs)
    served = Served(transform, model, function)
    with report_full_disk("writing the model"):
        try:
            tf.saved_model.save(served, str(folder / SAVED_MODEL), signatures={SERVING: function})
        except AssertionError as error:  # of a resource that none of what is saved holds
            problem = f"cannot be saved: a layer of it uses what it does not hold: {reason_of(error)}"
            remedy = "make tables attributes of a layer of their own (self.table = ...), not parts of a list"
            raise ModelError(problem, where="the model of build_model", remedy=remedy) from error
        make_canonical(folder / SAVED_MODEL)
    _check_files(folder / SAVED_MODEL)
    signature.save(folder)
    write_digests(folder)


def _answer(output: Output, scores: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """An output from what the model gives, [rows, units]: the scores, or the text of the class with the greatest one."""
    if output.by_class:
        return scores
    if FEATURE_TYPES[output.dtype].is_text:
        return tf.gather(classes, tf.argmax(scores, axis=-1))
    return tf.reshape(scores, [-1])


def _check_files(saved_model: Path) -> None:
    if found := find_misuses(saved_model):
        more = f", and {len(found) - 1} more such operations" if len(found) > 1 else ""
        problem = f"cannot be served: its TensorFlow operation {found[0]}{more}"
        remedy = (
            "read files with Python before the layers are built and give the model what they hold, as a constant or as a table "
            "(tf.lookup.TextFileInitializer keeps its file with the model); write no files in layers or in preprocessing_fn, "
            "and use TensorFlow's own operations in place of tf.py_function"
        )
        raise UserCodeError(problem, where="the model of build_model with preprocessing_fn", remedy=remedy)
