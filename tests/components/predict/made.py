"""Tables for the tiny models, and what is done with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from components._core.project.project_file import Project
from components._core.store.file_digests import digest_of_model, write_digests
from components.predict.destinations.contract import Output
from components.predict.predict import Prediction, predict_table
from components.predict.versions import ModelVersion
from tests.components.tiny_models import write_model

TASKS = ("binary_classification", "multiclass_classification", "regression")


def table(rows: int, seed: int = 1) -> pa.Table:
    """Rows for the tiny models, with an identifier that they do not take."""
    random = np.random.default_rng(seed)
    delay = random.normal(0, 15, rows).astype(np.float32).astype(np.float64)
    return pa.table(
        {
            "flight": [f"F{number:05d}" for number in range(rows)],
            "delay": pa.array(delay, mask=random.random(rows) < 0.1),
            "month": random.integers(1, 13, rows),
            "carrier": random.choice(["AA", "BB", "CC", "nobody"], rows).tolist(),
            "noise": random.random(rows).astype(np.float32).astype(np.float64),
        }
    )


def project(source: Path | str, task: str = "binary_classification", **data: Any) -> Project:
    raw = {"name": "tiny", "task": task, "label": "y", "data": {"source": str(source), **data}}
    return Project.model_validate(raw)


def version(folder: Path, task: str = "binary_classification", number: str = "7") -> ModelVersion:
    write_model(folder, task)
    write_digests(folder)
    return ModelVersion(number, folder, digest_of_model(folder))


def run(
    source: Path | str, output: Path | str, model: ModelVersion, store: Path | str, *, task: str = "", **options: Any
) -> Prediction:
    """Predict a table into an output."""
    data = options.pop("data", {})
    made = project(source, task or "binary_classification", **data)
    return predict_table(made, model, Output(str(output), **options), str(store))


def read(output: Path) -> pa.Table:
    """Read predictions: a file, or a folder of parts in their order."""
    if output.is_dir():
        return pa.concat_tables([read(path) for path in sorted(output.glob("part-*"))])
    if output.suffix == ".parquet":
        return pq.read_table(output)
    if output.suffix == ".csv":
        texts = csv.ConvertOptions(column_types={"model_version": pa.string()}, strings_can_be_null=True)
        return csv.read_csv(output, convert_options=texts)
    lines = output.read_text().splitlines()
    return pa.Table.from_pylist([json.loads(line) for line in lines])


def rejected(output: Path) -> list[dict[str, Any]]:
    """Read the rejected rows beside an output."""
    files = sorted((output / "_rejected").glob("*")) if output.is_dir() else [Path(f"{output}.rejected.jsonl")]
    return [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]


def content(folder: Path) -> dict[str, bytes]:
    """Content of all files below a folder by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
