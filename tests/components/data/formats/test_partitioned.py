"""A folder of part files is one table; folders named `key=value` are columns of it, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from tests.components.data.formats.reading import read_table


def write(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_folders_of_keys_and_values_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "t" / "year=2013" / "who=a%20b" / "0.parquet", y=[1, 2])
    write(tmp_path / "t" / "year=2014" / "who=__HIVE_DEFAULT_PARTITION__" / "0.parquet", y=[3])
    (tmp_path / "t" / "_SUCCESS").touch()
    table, _ = read_table(tmp_path / "t")
    assert table.to_pydict() == {"y": [1, 2, 3], "year": [2013, 2013, 2014], "who": ["a b", "a b", None]}


def test_cells_for_the_split_have_the_folders_columns(tmp_path: Path) -> None:
    write(tmp_path / "t" / "day=07" / "0.parquet", x=["a"], y=[1])
    files = open_source(str(tmp_path / "t")).list_files("all")
    table = open_format(Data(source="t"), files[0])
    (rows,) = table.read_rows(files[0], table.infer_schema(files, "y"), "y", print, ["day", "x"])
    assert rows.cells.to_pydict() == {"day": ["07"], "x": ["a"]}  # a leading zero makes it text
    assert table.column_names(files[0]) == ["x", "y", "day"]


def test_json_lines_in_part_files_may_each_lack_a_column(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for name, row in (("a.jsonl", {"x": 1, "y": 1}), ("b.jsonl", {"z": "q", "y": 2})):
        (tmp_path / "t" / name).write_text(json.dumps(row) + "\n")
    assert read_table(tmp_path / "t")[0].to_pydict() == {"x": [1, None], "y": [1, 2], "z": [None, "q"]}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("a=1/0.parquet", "b=1/0.parquet", r"b=1/0\.parquet: lies in folders of 'b', and a=1/0\.parquet of 'a'"),
        ("x=1/0.parquet", "x=2/0.parquet", r"column 'x' is in the files and in the names of their folders"),
    ],
)
def test_folders_that_do_not_fit_are_refused(tmp_path: Path, first: str, second: str, message: str) -> None:
    write(tmp_path / "t" / first, x=[1], y=[1])
    write(tmp_path / "t" / second, x=[1], y=[1])
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t")


def test_a_schema_that_changed_between_part_files_names_both(tmp_path: Path) -> None:
    write(tmp_path / "t" / "0.parquet", x=[1], y=[1])
    write(tmp_path / "t" / "1.parquet", x=["a"], y=[1])
    with pytest.raises(DataError, match=r"1\.parquet: column 'x' .* read as string; in 0\.parquet it is read as int64"):
        read_table(tmp_path / "t")
