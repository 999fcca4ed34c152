"""Infinities and very large numbers: of a feature they reject the row, as the server does; of other columns they are kept."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.components.predict.conftest import Versions
from tests.components.predict.made import read, rejected, run, table

VALUES = [1.5, math.inf, -math.inf, 1e300, None, -1e39]


def write(path: Path, **columns: object) -> Path:
    rows = table(len(VALUES))
    for name, values in columns.items():
        kind = pa.array(values, pa.float64())
        place = rows.column_names.index(name) if name in rows.column_names else None
        rows = rows.append_column(name, kind) if place is None else rows.set_column(place, name, kind)
    pq.write_table(rows, path)
    return path


def test_a_column_that_the_model_does_not_take_keeps_its_values(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.parquet", odd=VALUES)
    for name in ("out.parquet", "out.csv", "out.jsonl"):
        done = run(source, tmp_path / name, versions(), tmp_path / "store")
        assert (done.manifest["answered"], done.manifest["rejected"]) == (len(VALUES), 0)
    assert read(tmp_path / "out.parquet")["odd"].to_pylist() == VALUES
    assert read(tmp_path / "out.csv")["odd"].to_pylist() == VALUES
    text = (tmp_path / "out.jsonl").read_text()
    lines = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) for line in text.splitlines()
    ]
    assert [line["odd"] for line in lines] == [1.5, "Infinity", "-Infinity", 1e300, None, -1e39]
    run(source, f"sqlite:///{tmp_path}/out.db", versions(), tmp_path / "store", table="answers")
    with closing(sqlite3.connect(tmp_path / "out.db")) as connection:
        assert [row[0] for row in connection.execute("SELECT odd FROM answers")] == VALUES


def test_a_feature_with_such_a_value_rejects_its_row(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.parquet", delay=VALUES)
    run(source, tmp_path / "out", versions(), tmp_path / "store")
    assert {row["row"]: row["code"] for row in rejected(tmp_path / "out")} == dict.fromkeys((2, 3, 4, 6), "not_finite")


def test_a_csv_keeps_what_is_written_there(tmp_path: Path, versions: Versions) -> None:
    cells = ["1.5", "inf", "-Infinity", "1e300", "", "-1e39", *["2.5"] * 60]
    lines = [f"1,3,AA,0.5,{cell}" for cell in cells]
    (tmp_path / "t.csv").write_text("\n".join(["delay,month,carrier,noise,odd", *lines]) + "\n")
    done = run(tmp_path / "t.csv", tmp_path / "out.jsonl", versions(), tmp_path / "store")
    assert (done.manifest["answered"], done.manifest["rejected"]) == (len(cells), 0)
    found = [json.loads(line)["odd"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [str(value) for value in found[:2]] == ["1.5", "Infinity"] and found[4] is None


def test_an_infinite_label_is_no_label(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.parquet", y=VALUES)
    done = run(source, tmp_path / "out", versions("regression"), tmp_path / "store", task="regression")
    assert (done.manifest["answered"], done.manifest["labelled"]) == (len(VALUES), 3)
    assert read(tmp_path / "out")["y"].to_pylist() == VALUES
