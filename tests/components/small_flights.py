"""A small part of the flights example, carried through transform and train once for all tests that need it."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components._core.examples.artifact import split_file
from components._core.project.project_file import Project, load_project
from components._core.setting_names import STORE
from components._core.stage.user_code import pack_code
from components._core.types.artifact_files import SCHEMA

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
SHARES = {"train": 6_000, "eval": 1_000, "test": 1_000}
_TYPES = {"int64": schema_pb2.INT, "float": schema_pb2.FLOAT, "string": schema_pb2.BYTES}


@dataclass(frozen=True)
class Small:
    """Artifacts by their names in the pipeline, below one folder."""

    root: Path
    project: Project

    def path(self, name: str) -> Path:
        return self.root / name

    def new(self, name: str) -> Path:
        """An empty folder for an output."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))

    def before(self, stage: str, **others: Any) -> dict[str, Any]:
        """The inputs of a stage by argument, some of them replaced."""
        names = {
            "transform": ["code", "examples", "schema"],
            "tune": ["code", "transform_graph", "transformed"],
            "train": ["code", "schema", "transform_graph", "transformed", "hyperparameters"],
        }[stage]
        values = {"blocked": ""} if stage == "transform" else {}
        return {name: self.path(name) for name in names} | values | others


def small_project(**train: Any) -> Project:
    """The example's project with fewer and smaller steps."""
    settings = {"epochs": 2, "batch_size": 256, "patience": 0, **train}
    return load_project(EXAMPLE, {f"train.{name}": value for name, value in settings.items()})


def code_archive(folder: Path, **files: str) -> Path:
    """The example's code with some files replaced: `code_archive(folder, model="...")`."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("preprocessing", "model"):
        text = files.get(name) or (EXAMPLE / f"{name}.py").read_text(encoding="utf-8")
        (source / f"{name}.py").write_text(text, encoding="utf-8")
    pack_code(source, small_project(), folder / "code.zip")
    return folder / "code.zip"


def write_schema(folder: Path, columns: pa.Schema) -> Path:
    """The schema artifact of examples in which nothing is missing."""
    schema = schema_pb2.Schema()
    for field in columns:
        feature = schema.feature.add(name=field.name, type=_TYPES[str(field.type)])
        feature.presence.min_fraction = 1.0
    folder.mkdir()
    (folder / SCHEMA).write_text(text_format.MessageToString(schema), encoding="utf-8")
    return folder


def write_split(examples: Path, split: str, rows: pa.Table) -> None:
    path = split_file(examples, split, 1)
    path.parent.mkdir(parents=True)
    pq.write_table(rows, path)


@cache
def examples_of_flights() -> Small:
    """Examples, schema and code, as ingest and validate would leave them."""
    small = Small(Path(tempfile.mkdtemp(prefix="naru-small-flights-")), small_project())
    rows, start = _flights(sum(SHARES.values())), 0
    for split, count in SHARES.items():
        write_split(small.path("examples"), split, rows.slice(start, count))
        start += count
    write_schema(small.path("schema"), rows.schema)
    code_archive(small.path("packed")).rename(small.path("code"))
    return small


@cache
def transformed_flights() -> Small:
    """The same, and what transform and tune make of it."""
    from components.transform.transform import transform_examples
    from components.tune.tune import tune_hyperparameters

    small = examples_of_flights()
    outputs = {name: small.path(name) for name in ("transform_graph", "transformed", "hyperparameters")}
    for folder in outputs.values():
        folder.mkdir()
    hyperparameters = outputs.pop("hyperparameters")
    transform_examples(small.project, **small.before("transform"), **outputs)
    tune_hyperparameters(small.project, **small.before("tune"), hyperparameters=hyperparameters)
    return small


@cache
def trained_flights() -> Small:
    """The same, and what train makes of it."""
    from components.train.train import train_model

    small = transformed_flights()
    outputs = {name: small.path(name) for name in ("model", "history")}
    for folder in outputs.values():
        folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(small.path("store")))
        train_model(small.project, **small.before("train"), **outputs)
    return small


def _flights(count: int) -> pa.Table:
    spec = importlib.util.spec_from_file_location("make_data", EXAMPLE / "make_data.py")
    assert spec is not None and spec.loader is not None
    make_data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_data)
    flights = make_data.with_label(make_data.read_flights())
    every = flights.take(list(range(0, count * 40, 40)))  # spread over the year
    delays = every["dep_delay"].cast(pa.float32())
    return every.set_column(every.column_names.index("dep_delay"), "dep_delay", delays)
