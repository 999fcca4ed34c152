"""The penguins, with text and missing values, as ingest and validate would leave them: a small project of scikit-learn."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf import text_format
from palmerpenguins import load_penguins
from tensorflow_metadata.proto.v0 import schema_pb2

from components._core.examples.artifact import Manifest
from components._core.project.project_file import Project
from components._core.stage.user_code import pack_code
from components._core.types.artifact_files import SCHEMA
from components.transform.transform import transform_examples
from tests.components.small_flights import write_split

LABELS = {"multiclass_classification": "species", "binary_classification": "adelie", "regression": "body_mass_g"}
MODEL = '''\
"""A classifier of penguins."""

from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def prepare():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("texts", OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=object)),
        ]
    )


def build_model(hyperparameters):
    last = LAST
    return Pipeline([("columns", prepare()), ("last", last)])
'''
LAST = {
    "multiclass_classification": "LogisticRegression(C=hyperparameters.get('C', 1.0), max_iter=500)",
    "binary_classification": "LogisticRegression(max_iter=500)",
    "regression": "Ridge()",
}
_TYPES = {"int64": schema_pb2.INT, "float": schema_pb2.FLOAT, "string": schema_pb2.BYTES}


@dataclass(frozen=True)
class Penguins:
    """Artifacts by their names in the pipeline, below one folder."""

    root: Path
    project: Project

    def path(self, name: str) -> Path:
        return self.root / name

    def write_code(self, model: str | bytes, preprocessing: str | None = None) -> None:
        """Replace the project's code."""
        source = Path(tempfile.mkdtemp(dir=self.root))
        if preprocessing is not None:
            (source / "preprocessing.py").write_text(preprocessing, encoding="utf-8")
        (source / self.project.code.model).write_bytes(model.encode() if isinstance(model, str) else model)
        pack_code(source, self.project, self.path("code"))

    def transform(self) -> None:
        outputs = {name: self.path(name) for name in ("transform_graph", "transformed")}
        for folder in outputs.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        inputs = {name: self.path(name) for name in ("code", "examples", "schema")}
        transform_examples(self.project, **inputs, blocked="", **outputs)

    def train(self, name: str = "model") -> Path:
        """Fit and export; returns the model's folder. The environment must name a store."""
        from components.train.train import train_model

        model, history = self.path(name), self.path(f"history of {name}")
        for folder in (model, history):
            folder.mkdir()
        hyperparameters = self.path("hyperparameters")
        hyperparameters.mkdir(exist_ok=True)
        (hyperparameters / "hyperparameters.json").write_text("{}")
        inputs = {name: self.path(name) for name in ("code", "schema", "transform_graph", "transformed")}
        train_model(self.project, **inputs, hyperparameters=hyperparameters, model=model, history=history)
        return model


def make_penguins(
    root: Path,
    task: str = "multiclass_classification",
    *,
    model: str | bytes = "",
    preprocessing: str | None = None,
    framework: str = "sklearn",
    imported: dict[str, Any] | None = None,
    **sections: Any,
) -> Penguins:
    """Examples, schema and code of a project, and what transform makes of them.

    Args:
        root: Where the artifacts go.
        task: One of those of `LABELS`.
        model: `model.py`, or `model.onnx`; empty: the pipeline above.
        preprocessing: `preprocessing.py`, if the project names one.
        framework: The framework.
        imported: The section `model`.
        sections: Further sections of the project.
    """
    raw = {"name": "penguins", "task": task, "label": LABELS[task], "data": {"source": "penguins.csv"}}
    code = {"framework": framework, **({} if preprocessing is None else {"preprocessing": "preprocessing.py"})}
    code |= {"model": "model.onnx"} if isinstance(model, bytes) else {}
    sections |= {} if imported is None else {"model": imported}
    project = Project.model_validate({**raw, "code": code, **sections})
    made = Penguins(root, project)
    table = read_penguins(task)
    counts = {}
    for split, digits in (("train", range(8)), ("eval", [8]), ("test", [9])):
        rows = np.flatnonzero(np.isin(np.arange(len(table)) % 10, digits))
        counts[split] = len(rows)
        write_split(made.path("examples"), split, table.take(rows))
    columns = {field.name: str(field.type).replace("float", "float32") for field in table.schema}
    Manifest("f" * 32, columns, counts, [1], []).save(made.path("examples"))
    _write_schema(made.path("schema"), table)
    made.write_code(model or MODEL.replace("LAST", LAST[task]), preprocessing)
    made.transform()
    return made


def read_penguins(task: str) -> pa.Table:
    """Numbers as float32, the year as int64, texts; values are missing as they are in the data."""
    frame = load_penguins()
    if task == "binary_classification":
        frame = frame.assign(adelie=(frame.species == "Adelie").astype(np.int64)).drop(columns="species")
    if task == "regression":
        frame = frame[frame.body_mass_g.notna()]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    types = {pa.float64(): pa.float32()}
    return table.cast(pa.schema([(field.name, types.get(field.type, field.type)) for field in table.schema]))


def _write_schema(folder: Path, table: pa.Table) -> None:
    schema = schema_pb2.Schema()
    for field in table.schema:
        feature = schema.feature.add(name=field.name, type=_TYPES[str(field.type)])
        feature.presence.min_fraction = 1.0 if not table[field.name].null_count else 0.5
    folder.mkdir()
    (folder / SCHEMA).write_text(text_format.MessageToString(schema), encoding="utf-8")
