"""A workbook is read as people send it: below a title, between empty rows and columns, dates as dates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core import extras
from components._core.errors import ConfigError, DataError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from tests.components.data.formats.reading import read_table
from tests.components.data.formats.xlsx.workbook import write_workbook

DAY = datetime.date(2013, 5, 1)
NOON = datetime.datetime(2013, 5, 1, 12, 30)


def test_a_table_below_a_title_and_between_empty_cells_is_found(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Sales of May", None, None, None, None, None],
        [],
        [None, "id", "unit price", "day", "ok", "y", None],
        [None, 1, 2.5, DAY, True, "a", None],
        [],
        [None, 2, None, DAY, False, "#N/A", None],
        [None, 3, 3, DAY, True, "b", None],
        [],
    ]
    path = write_workbook(tmp_path / "t.xlsx", {"empty": [], "May": rows})
    table, rejected = read_table(path)
    assert table.to_pydict() == {
        "id": [1, 3], "unit price": [2.5, 3.0], "day": [DAY, DAY], "ok": [True, True], "y": ["a", "b"],
    }  # fmt: skip
    assert table.schema.types == [pa.int64(), pa.float64(), pa.date32(), pa.bool_(), pa.string()]
    assert [row.place for row in rejected] == ["t.xlsx, row 6"], "the number that Excel shows"


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([DAY, NOON], [datetime.datetime(2013, 5, 1), NOON]),
        ([1, "n/a"], ["1", "n/a"]),
        ([1.5, "x"], ["1.5", "x"]),
        ([2**53, 1], [2**53, 1]),
        ([True, "x"], ["true", "x"]),
        ([" ", None], [None, None]),
    ],
)
def test_a_column_has_the_type_of_all_its_cells(tmp_path: Path, values: list[Any], seen: list[Any]) -> None:
    rows = [["c", "y"], *([value, 1] for value in values)]
    assert read_table(write_workbook(tmp_path / "t.xlsx", {"s": rows}))[0]["c"].to_pylist() == seen


def test_the_sheet_can_be_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"a": [["x", "y"], [1, 1]], "b": [["x", "y"], [2, 2]]})
    assert read_table(path)[0]["x"].to_pylist() == [1]
    assert read_table(path, xlsx={"sheet": "b"})[0]["x"].to_pylist() == [2]
    with pytest.raises(ConfigError, match=r"data\.xlsx\.sheet: t\.xlsx has no sheet 'bb'; did you mean 'b'"):
        read_table(path, xlsx={"sheet": "bb"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-300], "cannot be read as a workbook"),
        (lambda content: b"\xd0\xcf\x11\xe0" + content, "is an old .xls, or protected by a password"),
        (lambda content: b"", "cannot be read as a workbook"),
    ],
)
def test_damage_is_reported_with_the_file(tmp_path: Path, spoil: Any, message: str) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"a": [["x", "y"], [1, 1]]})
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"t\.xlsx: {message}"):
        read_table(path, format="xlsx")


def test_a_workbook_without_a_table_or_without_a_name_for_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.xlsx: has no sheet with a table"):
        read_table(write_workbook(tmp_path / "t.xlsx", {"a": []}))
    with pytest.raises(DataError, match=r"t\.xlsx: column 2 has no name"):
        read_table(write_workbook(tmp_path / "t.xlsx", {"a": [["x", None, "y"], [1, 5, 1]]}))


def test_a_missing_package_is_reported_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: False)
    with pytest.raises(ConfigError, match="the format 'xlsx' needs packages") as caught:
        open_format(Data(source="t.xlsx"))
    assert "pip install 'naru[xlsx]'" in caught.value.remedy
