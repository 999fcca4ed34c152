"""Files as people have them by mistake: each is read, counted, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.errors import DataError, UnavailableError
from tests.components.ingest.test_check_source import check
from tests.components.ingest.test_columns import _ingest_task
from tests.components.ingest.test_ingest import ingest, write

NUMBERS = "".join(f"{number},{number * 2}\n" for number in range(40))


@pytest.mark.parametrize("blanks", [" ", "   ", "\t", "\u00a0", "\u3000 "])
def test_a_label_of_blanks_is_missing_and_no_class(tmp_path: Path, blanks: str) -> None:
    labels = ["yes", "no", blanks] * 30
    source = write(tmp_path / "t.csv", "x,y\n" + "".join(f'{row},"{label}"\n' for row, label in enumerate(labels)))
    rows = _ingest_task(tmp_path / "out", source, {"task": "binary_classification"}, quarantine_limit=0.5)
    assert rows.num_rows == 60 and set(rows["y"].to_pylist()) == {"yes", "no"}
    entry = {"columns": {"y": {"type": "category"}}}
    rows = _ingest_task(tmp_path / "named", source, {"task": "binary_classification"}, quarantine_limit=0.5, **entry)
    assert set(rows["y"].to_pylist()) == {"yes", "no"}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_header_alone_is_a_table_without_rows_and_not_an_empty_file(tmp_path: Path, end: str) -> None:
    with pytest.raises(DataError, match="has a header and no rows"):
        ingest(tmp_path, write(tmp_path / "t.csv", f"x,y{end}"))


@pytest.mark.parametrize("name", ["{{x}}", "{a}", "{%raw%}", "{"])
def test_a_csv_whose_first_name_begins_with_a_brace_is_a_csv(tmp_path: Path, name: str) -> None:
    rows = ingest(tmp_path, write(tmp_path / "t.csv", f"{name},y\n{NUMBERS}"))[2]
    assert rows.schema.names == [name, "y"] and rows.num_rows == 40


@pytest.mark.parametrize("first", ['{"x": 1, "y": 2}', '{ "x": 1, "y": 2}', '{\t"x": 1, "y": 2}'])
def test_json_lines_are_json_lines(tmp_path: Path, first: str) -> None:
    lines = "".join(f'{{"x": {number}, "y": {number * 2}}}\n' for number in range(40))
    assert ingest(tmp_path, write(tmp_path / "t.csv", f"{first}\n{lines}"))[2].num_rows == 41


def test_a_check_warns_of_a_newest_span_without_rows_as_a_run_does(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", f"x,y\n{NUMBERS}")
    write(tmp_path / "s-2.csv", "x,y\n")
    (found,) = [each for each in check(tmp_path / "s-{span}.csv", {}).checks if each.name == "rows of span 2"]
    assert found.status == "warn" and "s-2.csv (the newest span) has no rows" in found.reason


def test_a_later_file_with_another_separator_is_to_be_written_as_the_first(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", f"x,y\n{NUMBERS}")
    write(tmp_path / "s-2.csv", f"x,y\n{NUMBERS}".replace(",", ";"))
    with pytest.raises(DataError, match=r"s-2\.csv: columns seem to be separated by ';'") as raised:
        ingest(tmp_path, tmp_path / "s-{span}.csv")
    assert raised.value.remedy == "write it with ',' between cells, as s-1.csv"


@pytest.mark.parametrize("kind", ["date", "time"])
def test_an_entry_that_half_of_the_cells_do_not_fit_ends_the_run(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path / "t.csv", "x,y\n" + "".join(f"{number}.5,{number}\n" for number in range(40)))
    with pytest.raises(DataError, match=r"t\.csv: 40 of 40 cells of 'x' do not fit how it is read: '0\.5' \(1\)"):
        ingest(tmp_path, source, columns={"x": {"type": kind}})


def test_an_address_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"ftp://127\.0\.0\.1:9/t\.csv: cannot be reached"):
        ingest(tmp_path, "ftp://127.0.0.1:9/t.csv")  # type: ignore[arg-type]
