"""Rows of a split by its place, over files and row groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import read_row, read_rows, split_file


def _write(examples: Path) -> None:
    first = 0
    for span, rows in ((1, 5), (2, 0), (12, 4)):
        path = split_file(examples, "test", span)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"x": list(range(first, first + rows)), "y": [span] * rows}), path, row_group_size=2)
        first += rows


def test_some_places_give_their_rows_in_the_order_of_the_split(tmp_path: Path) -> None:
    _write(tmp_path)
    for places in ([0, 4, 5, 8], [3], list(range(9)), []):
        found = read_rows(tmp_path, "test", np.array(places, np.int64), ["x"])
        assert found.column_names == ["x"] and found["x"].to_pylist() == places
    assert read_rows(tmp_path, "eval", np.array([], np.int64), ["x"]).num_rows == 0


def test_each_place_gives_its_row_and_none_beyond_the_end(tmp_path: Path) -> None:
    _write(tmp_path)
    assert [read_row(tmp_path, "test", place)["x"].to_pylist() for place in range(9)] == [[row] for row in range(9)]
    assert read_row(tmp_path, "test", 9).num_rows == 0
    assert read_row(tmp_path, "eval", 0).num_rows == 0
