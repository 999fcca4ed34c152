"""One row of a split by its place, over files and row groups."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import read_row, split_file


def test_each_place_gives_its_row_and_none_beyond_the_end(tmp_path: Path) -> None:
    first = 0
    for span, rows in ((1, 5), (2, 0), (12, 4)):
        path = split_file(tmp_path, "test", span)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"x": list(range(first, first + rows))}), path, row_group_size=2)
        first += rows
    assert [read_row(tmp_path, "test", place)["x"].to_pylist() for place in range(9)] == [[row] for row in range(9)]
    assert read_row(tmp_path, "test", 9).num_rows == 0
    assert read_row(tmp_path, "eval", 0).num_rows == 0
