"""Tiny examples and SavedModels of every task, whose truth is known, for the tests of the stages that judge a model.

Rows are flights of a kind: `delay` (float32, now and then missing) and `carrier` (string) decide, `month` (int64) adds a
little, `noise` (float32) nothing: the models take it and do not use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components._core.examples.artifact import Manifest, split_file
from components._core.project.project_file import Project
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS

CARRIERS = ("AA", "BB", "CC")
PUSH = {"AA": -1.0, "BB": 0.0, "CC": 1.5}
FEATURES = (
    Feature("delay", "float32", True),
    Feature("month", "int64", False),
    Feature("carrier", "string", False),
    Feature("noise", "float32", False),
)
CLASSES: dict[str, tuple[str, ...]] = {
    "binary_classification": ("0", "1"),
    "multiclass_classification": ("early", "late", "on time"),
    "regression": (),
}


def tiny_project(
    task: str = "binary_classification", serving: dict[str, float] | None = None, **model_gates: Any
) -> Project:
    """A project over the tiny examples."""
    raw = {"name": "tiny", "task": task, "label": "y", "data": {"source": "t.csv"}}
    lenient = {"p95_ms": 10_000, "load_seconds": 0.4}  # a busy machine fails no test
    raw["gates"] = {"model": model_gates, "serving": {**lenient, **(serving or {})}}
    return Project.model_validate(raw)


def write_examples(folder: Path, task: str, rows: int = 1_200, only_class: str = "") -> Path:
    """Write examples: train and test with the same rows to a split, seeded."""
    for number, split in enumerate(("train", "test")):
        table = _table(task, rows, number)
        if only_class and split == "test":
            table = table.set_column(table.column_names.index("y"), "y", pa.array([int(only_class)] * rows))
        path = split_file(folder, split, 1)
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)
    columns = {field.name: _type(field.type) for field in table.schema}
    Manifest("f" * 32, columns, {"train": rows, "eval": 0, "test": rows}, [1], []).save(folder)
    return folder


def write_model(
    folder: Path,
    task: str,
    delay_weight: float = 0.1,
    broken: bool = False,
    more: tuple[Feature, ...] = (),
    unused: tuple[Feature, ...] = (),
) -> Path:
    """Save a model that knows how the rows were made, as far as its weight of `delay` is right; `broken` answers NaN.

    It takes `more` features, too, and does not use them; requests may also have columns that it does not take, `unused`.
    """
    features = (*FEATURES, *more)
    module = _Tiny(task, delay_weight, broken)
    inputs = {item.name: tf.TensorSpec([None], item.type.tensorflow, name=item.name) for item in features}
    serve = tf.function(module.serve).get_concrete_function(**inputs)
    tf.saved_model.save(module, str(folder / SAVED_MODEL), signatures={"serving_default": serve})
    Signature(task, features, TASKS[task].output_types, CLASSES.get(task, ()), unused=unused).save(folder)
    return folder


class _Tiny(tf.Module):
    def __init__(self, task: str, delay_weight: float, broken: bool) -> None:
        super().__init__()
        keys = tf.lookup.KeyValueTensorInitializer(tf.constant(CARRIERS), tf.constant(list(PUSH.values()), tf.float32))
        self.table = tf.lookup.StaticHashTable(keys, 0.0)
        self.weight = tf.Variable(delay_weight)
        self.task, self.broken = task, broken

    def serve(self, delay: tf.Tensor, month: tf.Tensor, carrier: tf.Tensor, **_: tf.Tensor) -> dict[str, tf.Tensor]:
        filled = tf.where(tf.math.is_nan(delay), tf.zeros_like(delay), delay)
        value = self.weight * filled + self.table.lookup(carrier) + 0.05 * (tf.cast(month, tf.float32) - 6.0)
        if self.broken:
            value = value * tf.constant(float("nan"))
        if not TASKS[self.task].has_classes:
            return {"prediction": value}
        if self.task == "binary_classification":
            return {"probability": tf.sigmoid(value)}
        probabilities = tf.nn.softmax(tf.stack([-value, value, 1.0 - tf.abs(value)], axis=1))
        names = tf.gather(tf.constant(CLASSES[self.task]), tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "class": names}


def _table(task: str, rows: int, number: int) -> pa.Table:
    random = np.random.default_rng([7, number])
    delay = np.where(random.random(rows) < 0.05, np.nan, random.normal(0, 15, rows)).astype(np.float32)
    carrier = random.choice(CARRIERS, rows, p=[0.5, 0.45, 0.05])
    month = random.integers(1, 13, rows)
    value = (
        0.1 * np.nan_to_num(delay) + np.vectorize(PUSH.get)(carrier) + 0.05 * (month - 6) + random.normal(0, 0.7, rows)
    )
    return pa.table(
        {
            "delay": pa.array(delay, pa.float32(), from_pandas=True),
            "month": pa.array(month, pa.int64()),
            "carrier": pa.array(carrier.tolist()),
            "noise": pa.array(random.random(rows), pa.float32()),
            "y": _label(task, value),
        }
    )


def _label(task: str, value: np.ndarray) -> pa.Array:
    if not TASKS[task].has_classes:
        return pa.array(value, pa.float32())
    if task == "binary_classification":
        return pa.array((value > 0).astype(np.int64))
    return pa.array(np.select([value < -0.7, value > 0.7], ["early", "late"], "on time").tolist())


def _type(arrow: pa.DataType) -> str:
    return {pa.int64(): "int64", pa.float32(): "float32"}.get(arrow, "string")
