"""A model whose answer is not a number for some rows."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS

FEATURES = (Feature("amount", "float32", False), Feature("duration", "int64", False))


class _Divider(tf.Module):
    def serve(self, amount: tf.Tensor, duration: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"prediction": amount / tf.cast(duration, tf.float32)}


def write_divider(folder: Path) -> Path:
    """Save a model that divides by the duration."""
    module = _Divider()
    inputs = {item.name: tf.TensorSpec([None], item.type.tensorflow, name=item.name) for item in FEATURES}
    serve = tf.function(module.serve).get_concrete_function(**inputs)
    tf.saved_model.save(module, str(folder / SAVED_MODEL), signatures={"serving_default": serve})
    Signature("regression", FEATURES, TASKS["regression"].output_types, ()).save(folder)
    return folder
