"""Fit a model: seeded, with early stopping on the eval rows, one epoch after another, so it can go on where it was stopped."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.project.train_config import Train
from components._core.types.tasks.contract import Task
from components._frameworks.contract import AfterEpoch, Progress
from components._frameworks.epochs import epoch_order, is_finished, record_epoch
from components._frameworks.keras.build_model import as_model_inputs, check_scores, fed_columns, input_shape
from components._frameworks.saved_models.tensorflow_errors import reason_of
from components._frameworks.transformed_rows import Batch, Column, TransformedRows


def be_repeatable() -> None:
    """Ask TensorFlow for the same result from the same inputs; for the whole process, before anything is computed."""
    tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    train: TransformedRows,
    held_out: TransformedRows,
    settings: Train,
    *,
    task: Task,
    class_weights: NDArray[Any] | None = None,
    progress: Progress | None = None,
    after_epoch: AfterEpoch | None = None,
) -> Progress:
    """Fit a compiled model and leave the weights of its best epoch in it.

    Args:
        model: The compiled model.
        train: The rows to fit.
        held_out: The rows to stop by.
        settings: Epochs, steps, batch size, patience and seed.
        task: The project's task.
        class_weights: Weight of a row in both losses, by the index of its class; None: each row counts the same.
        progress: Where an earlier fit of the same model was stopped.
        after_epoch: Called after each epoch; may stop the fit.

    Raises:
        ModelError: When the loss is not a number, or the model fails on the rows.
    """
    progress = progress or Progress()
    fed = fed_columns(model, train.columns)
    _check_first_rows(model, held_out, fed, task)
    if progress.variables:
        _restore(model, progress.variables)

    def shuffled() -> Iterator[Batch]:  # called in each epoch, which decides the order
        return train.batches(settings.batch_size, epoch_order(settings.seed, len(progress.epochs)))

    rows = _dataset(shuffled, fed, train, class_weights)
    # weighted as well: the epoch is kept that is best by what was minimised
    judged = _dataset(lambda: held_out.batches(held_out.call_rows), fed, held_out, class_weights)
    while not is_finished(progress, settings):
        limit = settings.steps - progress.steps if settings.steps else -1
        _fit_epoch(model, rows.take(limit), judged, progress)
        if after_epoch and after_epoch(progress):
            break
    model.set_weights(progress.best)
    return progress


def score(model: keras.Model, rows: TransformedRows) -> NDArray[Any]:
    """Score rows with a fitted model: [rows], or [rows, units] of a model with several.

    Args:
        model: The model.
        rows: The rows.
    """
    fed = fed_columns(model, rows.columns)
    parts = [
        np.asarray(model(as_model_inputs(features, fed), training=False))
        for features, _ in rows.batches(rows.call_rows)
    ]
    scores: NDArray[Any] = np.concatenate(parts)
    is_vector = scores.ndim == 2 and scores.shape[1] == 1
    return scores.reshape(-1) if is_vector else scores


def _fit_epoch(model: keras.Model, rows: tf.data.Dataset, judged: tf.data.Dataset, progress: Progress) -> None:
    counted = _Count()
    with _report_failures(len(progress.epochs)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")  # it does, at the end of each epoch
        logs = model.fit(rows, epochs=1, verbose=0, shuffle=False, callbacks=[counted])
        found = {name: float(values[-1]) for name, values in logs.history.items()}
        answers = model.evaluate(judged, verbose=0, return_dict=True)
    found |= {f"eval_{name}": float(value) for name, value in answers.items()}
    progress.steps += counted.steps
    record_epoch(progress, found, model.get_weights)
    progress.variables = [np.asarray(variable) for variable in _variables(model)]


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _restore(model: keras.Model, values: list[NDArray[Any]]) -> None:
    model.optimizer.build(model.trainable_variables)
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)


def _check_first_rows(model: keras.Model, rows: TransformedRows, fed: dict[str, Column], task: Task) -> None:
    """Look at what the untrained model gives: a wrong activation or a NaN shows before minutes are spent."""
    features, _ = rows.head(256)
    with _report_failures(0):
        scores = np.asarray(model(as_model_inputs(features, fed), training=False))
    check_scores(scores, task)


class _Count(keras.callbacks.Callback):
    """Counts optimiser steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self.steps = batch + 1


def _dataset(
    batches: Callable[[], Iterator[Batch]],
    fed: dict[str, Column],
    rows: TransformedRows,
    class_weights: NDArray[Any] | None,
) -> tf.data.Dataset:
    """Whole batches from NumPy, with the weights of the rows if there are any: rows are never handled one by one."""

    def shaped() -> Iterator[tuple[Any, ...]]:
        for features, labels in batches():
            weights = () if class_weights is None else (class_weights[labels],)
            yield as_model_inputs(features, fed), labels, *weights

    kinds = {name: tf.TensorSpec([None, *input_shape(column)], column.dtype) for name, column in fed.items()}
    weighed = () if class_weights is None else (tf.TensorSpec([None], tf.float32),)
    specs = (kinds, tf.TensorSpec([None], rows.label_dtype), *weighed)
    return tf.data.Dataset.from_generator(shaped, output_signature=specs).prefetch(2)


@contextmanager
def _report_failures(epoch: int) -> Iterator[None]:
    """Turn what Keras and TensorFlow raise while fitting into a ModelError."""
    try:
        yield
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ModelError(
            f"the model fails in epoch {epoch + 1}: {reason_of(error)}", remedy="look at build_model"
        ) from error
