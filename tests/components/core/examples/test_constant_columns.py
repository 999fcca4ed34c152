"""Copies of examples in which nothing can be learned from some columns."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import Manifest, read_batches, split_file
from components._core.examples.constant_columns import write_constant_columns

COLUMNS = {
    "number": pa.array([1.5, None, 2.5, 2.5], pa.float64()),
    "whole": pa.array([1, 2, 2, None], pa.int64()),
    "flag": pa.array([True, False, False, False]),
    "text": pa.array(["b", "a", None, "a"]),
    "time": pa.array([datetime(2026, 1, day) for day in (1, 2, 2, 3)], pa.timestamp("us")),
    "empty": pa.array([None] * 4, pa.float64()),
    "kept": pa.array([1, 2, 3, 4], pa.int64()),
}


def test_each_column_has_its_most_frequent_training_value_in_every_split(tmp_path: Path) -> None:
    table = pa.table(COLUMNS)
    for split, rows in (("train", table), ("test", table.slice(0, 1))):
        path = split_file(tmp_path / "examples", split, 1)
        path.parent.mkdir(parents=True)
        pq.write_table(rows, path)
    Manifest("f" * 32, {}, {"train": 4, "eval": 0, "test": 1}, [1], []).save(tmp_path / "examples")
    write_constant_columns(tmp_path / "examples", [name for name in COLUMNS if name != "kept"], tmp_path / "copy")
    constant = {"number": 2.5, "whole": 2, "flag": False, "text": "a", "time": datetime(2026, 1, 2), "empty": None}
    expected = {"train": [{**constant, "kept": row} for row in (1, 2, 3, 4)], "test": [{**constant, "kept": 1}]}
    for split, rows in expected.items():
        found = pa.Table.from_batches(read_batches(tmp_path / "copy", split))
        assert found.to_pylist() == rows and found.schema.types == table.schema.types
    assert Manifest.load(tmp_path / "copy") == Manifest.load(tmp_path / "examples")
