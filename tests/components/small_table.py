"""A small table whose columns repeat each other, hardly vary or are hardly known; as ingest and validate would leave it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components._core.checks import Outcome
from components._core.examples.artifact import split_file
from components._core.project.project_file import Project
from components._core.stage.user_code import pack_code
from components._core.types.artifact_files import SCHEMA
from components.transform.transform import transform_examples

ROWS = {"train": 600, "eval": 200, "test": 200}
_TYPES = {"int64": schema_pb2.INT, "float": schema_pb2.FLOAT, "string": schema_pb2.BYTES}
NUMBERS = """
import tensorflow as tf

def preprocessing_fn(inputs):
    known = {name: tf.cast(values, tf.float32) for name, values in inputs.items() if values.dtype != tf.string}
    return {name: tf.where(tf.math.is_nan(values), 0.0, values) for name, values in known.items()}
"""
MODEL = """
import keras

def build_model(inputs, transform, hyperparameters):
    return keras.layers.Dense(1, activation="sigmoid")(keras.layers.Concatenate()(list(inputs.values())))
"""


def make_rows(rows: int, seed: int = 0) -> pa.Table:
    """Rows of the table."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=rows), random.normal(10, 3, rows)

    def gaps(values: Any, share: float) -> Any:
        return [None if random.random() < share else value for value in values]

    return pa.table(
        {
            "a": pa.array(gaps(a, 0.2), pa.float32()),
            "b": pa.array(b, pa.float32()),
            "twin": pa.array(5 - 2 * a + random.normal(0, 0.02, rows), pa.float32()),  # of a, and always known
            "whole": pa.array(random.integers(0, 1_000, rows), pa.int64()),
            "sparse": pa.array(gaps(random.normal(size=rows), 0.97), pa.float32()),
            "flat": pa.array([7] * rows, pa.int64()),
            "word": pa.array(random.choice(["x", "y"], rows).tolist()),
            "same": pa.array(["x"] * rows),
            "blank": pa.array(gaps(["note"] * rows, 0.95), pa.string()),
            "late": pa.array((a + b > 10).astype(int), pa.int64()),
        }
    )


@dataclass(frozen=True)
class Table:
    """The table's artifacts, and what transform makes of them."""

    folder: Path

    def transform(
        self, settings: dict[str, Any], preprocessing: str = NUMBERS, **given: Any
    ) -> tuple[Outcome, Path, Path]:
        """Run transform with the section `transform` of project.yaml; returns its outcome and outputs."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        project = make_project(settings)
        (place / "source").mkdir()
        (place / "source" / "preprocessing.py").write_text(preprocessing)
        (place / "source" / "model.py").write_text(MODEL)
        pack_code(place / "source", project, place / "code.zip")
        for name in ("graph", "transformed"):
            (place / name).mkdir()
        outcome = transform_examples(
            project,
            code=place / "code.zip",
            examples=self.folder / "examples",
            schema=self.folder / "schema",
            blocked="",
            transform_graph=place / "graph",
            transformed=place / "transformed",
            **given,
        )
        return outcome, place / "graph", place / "transformed"


def make_project(settings: dict[str, Any]) -> Project:
    """The table's project with the section `transform`."""
    raw = {"name": "t", "task": "binary_classification", "label": "late", "data": {"source": "t.csv"}}
    return Project.model_validate({**raw, "transform": settings})


def write_table(folder: Path) -> Table:
    """Write the artifacts into a folder."""
    schema = schema_pb2.Schema()
    for field in make_rows(1).schema:
        feature = schema.feature.add(name=field.name, type=_TYPES[str(field.type)])
        feature.presence.min_fraction = 1.0 if str(field.type) == "int64" else 0.0
    (folder / "schema").mkdir()
    (folder / "schema" / SCHEMA).write_text(text_format.MessageToString(schema))
    for seed, (split, rows) in enumerate(ROWS.items()):
        file = split_file(folder / "examples", split, 1)
        file.parent.mkdir(parents=True)
        pq.write_table(make_rows(rows, seed), file, row_group_size=250)
    return Table(folder)
