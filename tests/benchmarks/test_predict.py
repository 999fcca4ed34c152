"""The benchmark of batch prediction: both sides answer the same, its ratios and bounds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.predict import Predicted, broken_bounds, of_loop
from benchmarks.predict_side import predict_in_a_loop, predict_with_naru
from components._core.store.file_digests import write_digests
from tests.components.predict.made import read, table
from tests.components.tiny_models import write_model


def test_both_sides_write_the_same_columns_and_answers(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", "binary_classification")
    write_digests(model)
    pq.write_table(table(250), tmp_path / "t.parquet")
    assert predict_with_naru(model, tmp_path / "t.parquet", tmp_path / "naru") == 250
    assert predict_in_a_loop(model, tmp_path / "t.parquet", tmp_path / "loop") == 250
    ours, theirs = read(tmp_path / "naru"), pq.read_table(tmp_path / "loop")
    assert isinstance(ours, pa.Table) and ours.column_names == theirs.column_names
    assert ours["probability"].to_pylist() == pytest.approx(theirs["probability"].to_pylist(), abs=1e-6)


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    sides = {
        "naru": [Predicted(10, seconds, 0.0, 1.0) for seconds in (2.0, 4.0, 1.0)],
        "loop": [Predicted(10, seconds, 0.0, 1.0) for seconds in (1.0, 3.0, 1.0)],
    }
    assert of_loop(sides) == 0.75


def test_a_broken_bound_is_named() -> None:
    assert broken_bounds({"of_loop": 0.7, "rss_growth": 1.2}) == []
    assert broken_bounds({"of_loop": 0.69, "rss_growth": 1.21}) == [
        "of_loop is 0.69, at least 0.7",
        "rss_growth is 1.21, at most 1.2",
    ]
