"""What a table holds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.scaffold.table_location import TableLocation
from pipelines.scaffold.table_profile import SAMPLE_ROWS, profile_table
from tests.pipelines.scaffold.conftest import Table


def test_missing_values_are_counted_and_types_are_those_of_a_run(penguins: Path) -> None:
    columns = profile_table(TableLocation(str(penguins)), "species").columns
    assert {name: column.type.name for name, column in columns.items()} == {
        "species": "string",
        "island": "string",
        "bill_length_mm": "float32",
        "bill_depth_mm": "float32",
        "flipper_length_mm": "float32",
        "body_mass_g": "float32",
        "sex": "string",
        "year": "int64",
    }
    assert (columns["sex"].missing, columns["body_mass_g"].missing, columns["year"].missing) == (11, 2, 0)
    assert (columns["year"].minimum, columns["year"].maximum) == (2007.0, 2009.0)
    assert columns["species"].counts == {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}


def test_rows_without_a_label_are_counted_and_not_looked_at(table: Table) -> None:
    profile = profile_table(TableLocation(str(table({"x": [1, 2, 900], "y": [0, 1, None]}))), "y")
    assert (profile.rows, profile.unlabelled, profile.columns["x"].maximum) == (2, 1, 2.0)


def test_a_ragged_row_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text("x,y\n1,0\n2,1,7\n3,0\n")
    profile = profile_table(TableLocation(str(path)), "y")
    assert (profile.rows, profile.unreadable) == (2, 1)
    assert profile.first_unreadable.startswith("ragged.csv, line 3: 3 fields")


def test_distinct_values_are_exact_while_few_and_close_when_many(table: Table) -> None:
    numbers = np.arange(60_000)
    path = table({"few": numbers % 4_000, "many": numbers % 30_000, "y": numbers % 2})
    columns = profile_table(TableLocation(str(path)), "y").columns
    assert columns["few"].distinct == 4_000
    assert columns["many"].distinct == pytest.approx(30_000, rel=0.05)


def test_the_sample_is_bounded_random_and_the_same_every_time(table: Table) -> None:
    numbers = np.arange(70_000)
    path = table({"x": numbers, "y": numbers % 2})
    first, again = (
        profile_table(TableLocation(str(path)), "y").sample,
        profile_table(TableLocation(str(path)), "y").sample,
    )
    assert first.num_rows == SAMPLE_ROWS
    assert first.equals(again)
    assert np.mean(first["x"].to_numpy()) == pytest.approx(35_000, rel=0.02)


def test_spans_are_one_table(table: Table) -> None:
    table({"x": [1, 2], "y": [0, 1]}, "part-1.csv")
    last = table({"x": [3, 4], "y": [0, 1]}, "part-2.csv")
    assert profile_table(TableLocation(str(last.with_name("part-{span}.csv"))), "y").rows == 4


def test_how_a_table_is_written_is_detected_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("stadt;y\nKöln;1\nBonn;0\nstadt;y\nBonn;0\nTotal;1\n".encode("latin-1"))
    profile = profile_table(TableLocation(str(path)), "y")
    assert profile.columns["stadt"].values == ("Köln", "Bonn") and profile.rows == 3 and profile.unreadable == 0
    assert profile.csv == {"separator": ";", "encoding": "cp1252"}
    assert profile.written.startswith(
        "separator: semicolon, encoding: cp1252, it reads 'Köln'; 1 row is not data and set aside: latin.csv, line 4"
    )
    assert "line 6: a line of totals" in profile.written


def test_a_column_of_every_type_is_what_a_model_takes(tmp_path: Path) -> None:
    start = dt.datetime(2026, 1, 31, 9, 30)
    rows = pa.table(
        {
            "flag": [True, None, False] * 10,
            "at": [start + dt.timedelta(days=row) for row in range(30)],
            "day": [start.date()] * 30,
            "key": pa.array([b"\xff"] * 30, pa.binary()),
            "real": [0.1] * 30,
            "y": [row % 3 == 0 for row in range(30)],
        }
    )
    pq.write_table(rows, tmp_path / "t.parquet")
    profile = profile_table(TableLocation(str(tmp_path / "t.parquet")), "y")
    types = {name: column.type.name for name, column in profile.columns.items()}
    assert types == {
        "flag": "int64", "at": "string", "day": "string", "key": "string", "real": "float32", "y": "string",
    }  # fmt: skip
    assert profile.columns["y"].counts == {"false": 20, "true": 10}
    assert (profile.columns["flag"].missing, profile.columns["flag"].distinct) == (10, 2)
    assert profile.columns["at"].values[0] == "2026-01-31 09:30:00"
    assert profile.columns["real"].values == ("0.1",)
