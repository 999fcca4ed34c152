"""Integrated gradients: each number's part in the way from the typical row to a row, through the SavedModel as it is served.

The straight way from the typical row to the row is cut into equal steps. A float32's part is its gradient in the middle of
each step, times its length. For an int64 no gradient is defined: its part is the difference that going on by the step makes to
the score, from whole number to whole number, while all others stand in the middle. Strings have no slope and missing numbers
no way: both stay as they are in the row. By completeness the parts add up to the difference of the two scores; how nearly
they do is reported.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components._core.features import Feature
from components._model.calling import LoadedModel
from components._model.scoring import SCORES
from components.explain.attribution import Attribution, explained_score, repeated
from components.explain.sampling import Array, Arrays

STEPS = 32


def integrated_gradients(
    model: LoadedModel, arrays: Arrays, baseline: Arrays, classes: Array | None, steps: int = STEPS
) -> Attribution:
    """Integrated gradients of the numeric features.

    Args:
        model: The model.
        arrays: The rows to explain.
        baseline: The typical row, [1] each.
        classes: For many classes, the class explained in each row.
        steps: Places on the way, at the middle of equal parts.
    """
    numeric = [feature for feature in model.signature.inputs if feature.dtype != "string"]
    rows = len(next(iter(arrays.values())))
    start = {**arrays, **{item.name: _start(arrays[item.name], baseline[item.name]) for item in numeric}}
    moved = explained_score(model, arrays, classes) - explained_score(model, start, classes)
    places = np.tile((np.arange(steps) + 0.5) / steps, rows)
    way = repeated(arrays, steps)
    for item in numeric:
        way[item.name] = _between(np.repeat(start[item.name], steps), way[item.name], places)
    of = None if classes is None else np.repeat(classes, steps)
    floats = [item for item in numeric if item.dtype == "float32"]
    values = {
        name: slopes.reshape(rows, steps).mean(axis=1) * _length(start[name], arrays[name])
        for name, slopes in _gradients(model, way, floats, of).items()
    }
    for name in [item.name for item in numeric if item.dtype == "int64"]:
        ends = [
            _between(np.repeat(start[name], steps), np.repeat(arrays[name], steps), places + half / steps)
            for half in (-0.5, 0.5)
        ]
        before, after = (explained_score(model, {**way, name: end}, of) for end in ends)
        values[name] = (after - before).reshape(rows, steps).sum(axis=1)
    return Attribution({item.name: values[item.name] for item in numeric}, moved)


def _start(values: Array, typical: Array) -> Array:
    """The typical value for every row; a missing number has no way to go and stays."""
    if values.dtype.kind != "f":
        return np.repeat(typical, len(values))
    return np.where(np.isnan(values), values, typical[0]).astype(values.dtype)


def _between(start: Array, end: Array, place: Array) -> Array:
    at = start + (end - start) * place
    return (np.rint(at) if end.dtype.kind != "f" else at).astype(end.dtype)


def _length(start: Array, end: Array) -> Array:
    return np.nan_to_num(end.astype(np.float64) - start.astype(np.float64))


def _gradients(model: LoadedModel, way: Arrays, floats: list[Feature], classes: Array | None) -> dict[str, Array]:
    """Slope of the score by each float32, shape [places]; zero where the model gives none."""
    if not floats:
        return {}
    tensors = {name: tf.convert_to_tensor(_plain(values)) for name, values in way.items()}
    watched = [tensors[feature.name] for feature in floats]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        scores = model.serve({feature.name: tensors[feature.name] for feature in model.signature.inputs})
        score = scores[SCORES[model.signature.task]]
        if classes is not None:
            score = tf.gather(score, classes, batch_dims=1)
    found = tape.gradient(score, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {
        item.name: np.nan_to_num(slope.numpy().astype(np.float64)) for item, slope in zip(floats, found, strict=True)
    }


def _plain(values: Array) -> Array | list[str]:
    return values.tolist() if values.dtype == object else values
