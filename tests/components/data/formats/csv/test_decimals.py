"""The decimal separator of a column is one over all files: `1.234` and `0,25` have another value by the other one."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.errors import DataError
from tests.components.ingest.test_ingest import ingest, write


def spans(folder: Path, *parts: list[str]) -> Path:
    for number, cells in enumerate(parts, 1):
        rows = [f'"{cell}",{row}\n' for row, cell in enumerate(cells)]
        write(folder / f"s-{number}.csv", "x,y\n" + "".join(rows))
    return folder / "s-{span}.csv"


POINT = [f"{number}.125" for number in range(60)]
COMMA = [cell.replace(".", ",") for cell in POINT]
SHORT_POINT = [f"{number}.5" for number in range(60)]
SHORT_COMMA = [cell.replace(".", ",") for cell in SHORT_POINT]
WHOLE = [str(number) for number in range(60)]
MISSING = [*WHOLE, "?"]


@pytest.mark.parametrize("first", [POINT, SHORT_POINT, [*SHORT_POINT, "?"], ["$1,234.50", *SHORT_POINT]])
def test_a_later_file_with_a_decimal_comma_is_refused(tmp_path: Path, first: list[str]) -> None:
    with pytest.raises(DataError, match=r"s-2\.csv: column 'x' has a decimal comma, and a decimal point in s-1\.csv"):
        ingest(tmp_path, spans(tmp_path, first, SHORT_COMMA))


@pytest.mark.parametrize("later", [SHORT_POINT, [*SHORT_POINT, "?"]])
def test_a_later_file_with_a_decimal_point_is_refused(tmp_path: Path, later: list[str]) -> None:
    with pytest.raises(DataError, match=r"s-3\.csv: column 'x' has a decimal point, and a decimal comma in s-1\.csv"):
        ingest(tmp_path, spans(tmp_path, SHORT_COMMA, WHOLE, later))


@pytest.mark.parametrize("whole", [WHOLE, MISSING])
@pytest.mark.parametrize("is_first", [True, False])
def test_whole_numbers_beside_a_decimal_comma_keep_their_values(
    tmp_path: Path, whole: list[str], is_first: bool
) -> None:
    parts = [whole, SHORT_COMMA] if is_first else [SHORT_COMMA, whole]
    rows = ingest(tmp_path, spans(tmp_path, *parts))[2]
    values = sorted(value for value in rows["x"].to_pylist() if value is not None)
    assert values == sorted([*map(float, WHOLE), *map(float, SHORT_POINT)])


def test_a_cell_that_is_not_a_number_to_floats_shows_no_separator(tmp_path: Path) -> None:
    rows = ingest(tmp_path, spans(tmp_path, [*WHOLE, "NAN"], SHORT_COMMA))[2]
    assert {0.5, 59.5, 59.0} < set(rows["x"].to_pylist())


def test_thousands_of_a_later_file_are_read_by_the_separator_that_is_known(tmp_path: Path) -> None:
    rows = ingest(tmp_path, spans(tmp_path, SHORT_POINT, [f"1,{number:03d}" for number in range(60)]))[2]
    assert {1000.0, 1059.0, 0.5} < set(rows["x"].to_pylist())


def test_a_few_cells_with_the_other_separator_are_odd_and_reported(tmp_path: Path) -> None:
    outcome, _, rows = ingest(tmp_path, spans(tmp_path, SHORT_POINT, [*SHORT_POINT, "7,5"]))
    assert rows["x"].null_count == 1 and "x: '7,5' (1)" in outcome.reason


def test_points_of_a_column_with_a_decimal_comma_by_its_entry_are_thousands(tmp_path: Path) -> None:
    thousands = [f"1.{number:03d}" for number in range(60)]
    reading = {"x": {"type": "number", "decimal": ","}}
    rows = ingest(tmp_path / "one", spans(tmp_path, thousands, SHORT_COMMA), columns=reading)[2]
    assert {1000.0, 1059.0, 0.5} < set(rows["x"].to_pylist())
    with pytest.raises(DataError, match=r"s-2\.csv: \d+ of 60 cells of 'x' do not fit how it is read: '0\.5'"):
        ingest(tmp_path / "two", spans(tmp_path, SHORT_COMMA, SHORT_POINT), columns=reading)


def test_an_entry_in_the_project_decides_and_the_file_that_does_not_fit_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s-2\.csv: 60 of 60 cells of 'x' do not fit how it is read: '0,5'"):
        ingest(tmp_path, spans(tmp_path, SHORT_POINT, SHORT_COMMA), columns={"x": {"type": "number"}})
