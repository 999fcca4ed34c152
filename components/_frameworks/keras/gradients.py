"""Slopes of the score by features, through the function that is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Array, Arrays, Gradients

Serve = Callable[[dict[str, tf.Tensor]], Mapping[str, tf.Tensor]]
"""The serving function: tensors by feature name in, outputs by name out."""


def gradients_of(signature: Signature, serve: Serve) -> Gradients:
    """The contract's gradients, by automatic differentiation of the serving function."""

    def gradients(arrays: Arrays, features: Sequence[str], classes: Array | None) -> Arrays:
        tensors = {
            feature.name: tf.convert_to_tensor(plain_values(arrays[feature.name])) for feature in signature.inputs
        }
        watched = [tensors[name] for name in features]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            score = serve(tensors)[TASKS[signature.task].score]
            if classes is not None:
                score = tf.gather(score, classes, batch_dims=1)
        slopes = tape.gradient(score, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return {
            name: np.nan_to_num(slope.numpy().astype(np.float64)) for name, slope in zip(features, slopes, strict=True)
        }

    return gradients


def plain_values(values: Array) -> Array | list[Any]:
    """Return values that TensorFlow makes a tensor of: texts as a list."""
    return values.tolist() if values.dtype == object else values
