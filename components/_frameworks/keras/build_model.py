"""The project's build_model: what it is given, and what it must give back.

Inputs, by the name of the transformed feature:

    float32 scalar      keras.Input of shape (1,)    ready to be concatenated
    int64 scalar        keras.Input of shape ()      an index: Embedding makes it [rows, size]
    vector of k         keras.Input of shape (k,)
    picture             keras.Input of shape (height, width, channels), float32, int64 or uint8
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components._core.errors import ModelError, UserCodeError
from components._core.project.config_types import Hyperparameter
from components._core.stage.user_code import own_frames
from components._core.types.tasks.contract import Task
from components._frameworks.epochs import read_learning_rate
from components._frameworks.transformed_rows import Column


def input_shape(column: Column) -> tuple[int, ...]:
    """The shape of one row of a feature, as the model takes it."""
    return (1,) if column.is_real and not column.shape else column.shape


def keras_inputs(columns: tuple[Column, ...]) -> dict[str, Any]:
    """A keras.Input per transformed feature, by the feature's name."""
    return {
        column.name: keras.Input(input_shape(column), dtype=column.dtype, name=_keras_name(column))
        for column in columns
    }


def fed_columns(model: keras.Model, columns: tuple[Column, ...]) -> dict[str, Column]:
    """Which column each input of the model takes, by the name under which the model wants it fed."""
    if not _symbolic_inputs(model):
        return {column.name: column for column in columns}  # not functional: it gets all, and takes what it knows
    known = {_keras_name(column): column for column in columns}
    named = (
        model.input if isinstance(model.input, dict) else {tensor.name: tensor for tensor in _symbolic_inputs(model)}
    )
    return {name: known[tensor.name] for name, tensor in named.items()}


def _symbolic_inputs(model: keras.Model) -> list[Any]:
    """Return the tensors that a functional model begins with; a subclass of keras.Model has none, in some releases not even the attribute."""
    return list(getattr(model, "inputs", None) or ())


def as_model_inputs(features: Mapping[str, Any], fed: Mapping[str, Column]) -> dict[str, Any]:
    """Arrays or tensors [rows, ...] by feature name, as the model takes them; see `fed_columns`."""
    return {name: _shaped(features[column.name], column) for name, column in fed.items()}


def _shaped(values: Any, column: Column) -> Any:
    return values[:, None] if input_shape(column) != column.shape else values


def _keras_name(column: Column) -> str:
    return column.name.replace("/", "\u2215")  # Keras refuses a slash in a name; this one only looks like it


def build(
    function: Callable[..., Any],
    folder: Path,
    file: str,
    columns: tuple[Column, ...],
    transform: Any,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    task: Task,
    classes: list[str],
    seed: int,
) -> keras.Model:
    """Call build_model, check what it returns and compile it if it is not compiled.

    Args:
        function: The project's build_model.
        folder: Where the project's code lies.
        file: The file that build_model comes from, for messages.
        columns: The transformed features.
        transform: The TFTransformOutput, for sizes of vocabularies.
        hyperparameters: The values for this model; build_model also gets `classes`, their number, if there are any.
        task: The project's task.
        classes: The label's classes; empty for a task without classes.
        seed: Of the initial weights and of everything random in the model.

    Raises:
        UserCodeError: When build_model raises or returns no model.
        ModelError: When the model's output has the wrong shape.
    """
    keras.backend.clear_session()  # names of layers would otherwise count on from the model before
    keras.utils.set_random_seed(seed)
    given = {**hyperparameters, **({"classes": len(classes)} if classes else {})}
    inputs = keras_inputs(columns)
    with own_frames(folder, "build_model"):
        returned = function(dict(inputs), transform, given)
        model = keras.Model(inputs, returned) if isinstance(returned, keras.KerasTensor) else returned
    if not isinstance(model, keras.Model):
        kind = "nothing" if model is None else f"a {type(model).__name__}"
        raise UserCodeError(
            f"build_model returned {kind}", where=file, remedy="return a keras.Model or its output tensor"
        )
    _check_inputs(model, inputs, file)
    _check_output(model, task, classes, file)
    if not model.compiled:
        _compile(model, task, read_learning_rate(hyperparameters))
    return model


def check_scores(scores: NDArray[Any], task: Task) -> None:
    """Refuse scores that are not probabilities.

    Args:
        scores: What the model gave, [rows, units].
        task: The project's task.

    Raises:
        ModelError: When a score is NaN or infinite, or (classification) lies outside 0 to 1 or does not sum to 1.
    """
    if not np.isfinite(scores).all():
        raise ModelError("the model gives NaN or infinity", remedy="lower the learning rate, or look at build_model")
    if not task.has_classes:
        return
    within = scores.min(initial=0.0) >= 0.0 and scores.max(initial=1.0) <= 1.0 + 1e-6
    if not within:
        found = f"{scores.min():.4g} to {scores.max():.4g}"
        raise ModelError(f"the model gives {found}, not probabilities", remedy=_ending(task))
    if task.scores_by_class and not np.allclose(scores.sum(axis=-1), 1.0, atol=1e-3):
        raise ModelError("the model's probabilities do not sum to 1", remedy=_ending(task))


def _ending(task: Task) -> str:
    return f"end it with activation={task.activation!r}"


def _check_inputs(model: keras.Model, inputs: dict[str, Any], file: str) -> None:
    given = {tensor.name for tensor in inputs.values()}
    unknown = sorted({tensor.name for tensor in _symbolic_inputs(model)} - given)
    if unknown:
        raise UserCodeError(
            f"the model takes {', '.join(unknown)}, which preprocessing_fn does not return",
            where=file,
            remedy=f"use the inputs that build_model is given: {', '.join(inputs)}",
        )


def _check_output(model: keras.Model, task: Task, classes: list[str], file: str) -> None:
    if not _symbolic_inputs(model):
        return  # not functional: its shape is known only when it is called; the scores are checked then
    found = [tuple(output.shape) for output in model.outputs]
    expected = (None, task.units(classes))
    if len(found) != 1 or found[0] not in (expected, (None,) if expected[1] == 1 else expected):
        raise ModelError(
            f"the model gives {' and '.join(_shape(shape) for shape in found)}, expected is {_shape(expected)} for {task.name}",
            where=file,
            remedy=f"end it with keras.layers.Dense({expected[1]}, ...)",
        )


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('rows' if size is None and place == 0 else str(size) for place, size in enumerate(shape))}]"


def _compile(model: keras.Model, task: Task, learning_rate: float) -> None:
    metrics = [getattr(keras.metrics, kind)(name=name) for name, kind in task.training_metrics.items()]
    # without XLA: it would compile for longer than a usual model trains, and not repeatably
    model.compile(keras.optimizers.Adam(learning_rate), loss=task.loss, metrics=metrics, jit_compile=False)
