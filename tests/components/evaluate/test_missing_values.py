"""Which missing values explain that a model has no number for some rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import split_file
from components.evaluate.missing_values import missing_columns


@pytest.mark.parametrize(
    ("places", "found"),
    [([1, 3], ["mass", "sex"]), ([1], ["mass"]), ([4], ["mass"]), ([0, 1], []), ([5], ["sex"])],
)
def test_columns_are_named_where_each_row_misses_a_value(tmp_path: Path, places: list[int], found: list[str]) -> None:
    spans = (
        {"year": [7, 8, 9], "mass": [3.0, None, 4.0], "sex": ["f", "m", "f"]},
        {"year": [7, 8, 9], "mass": [3.0, float("nan"), 4.0], "sex": [None, "m", None]},
    )
    for span, rows in enumerate(spans, start=1):
        path = split_file(tmp_path, "test", span)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(rows), path)
    assert missing_columns(tmp_path, ["year", "mass", "sex"], np.array(places)) == found
