"""Columns as people have them, in ingest: converted as naru new says or as they look, counted, and in the fingerprint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, DataError
from tests.components.ingest.test_ingest import ingest, write


def _table(path: Path, cells: list[str], labels: list[Any] | None = None) -> Path:
    rows = zip(cells, labels or range(len(cells)), strict=True)
    return write(path, "x,y\n" + "".join(f'"{cell}",{label}\n' for cell, label in rows))


def test_numbers_with_a_unit_are_numbers_without_a_word_in_the_project_file(tmp_path: Path) -> None:
    source = _table(tmp_path / "t.csv", [*(f"${number},234.50" for number in range(1, 60)), "?", "$-7.25"])
    outcome, _, rows = ingest(tmp_path, source)
    assert {1234.5, 59234.5, None, -7.25} < set(rows["x"].to_pylist())
    (check,) = [check for check in outcome.checks if check.name == "missing markers"]
    assert (check.status, check.reason) == ("pass", "x: '?' (1)")


def test_dates_are_converted_where_the_project_file_says_so(tmp_path: Path) -> None:
    cells = [f"{day:02d}.02.21" for day in range(1, 27)] + ["later"]
    (tmp_path / "a").mkdir()
    as_it_is = ingest(tmp_path / "a", _table(tmp_path / "t.csv", cells))[2]
    assert "10.02.21" in as_it_is["x"].to_pylist()
    (tmp_path / "b").mkdir()
    outcome, _, rows = ingest(tmp_path / "b", tmp_path / "t.csv", columns={"x": {"type": "date"}})
    assert "2021-02-10" in rows["x"].to_pylist() and rows["x"].null_count == 1
    assert "1 cell does not fit its column and is missing: x: 'later' (1)" in outcome.reason


def test_codes_with_leading_zeros_and_long_ids_keep_their_text(tmp_path: Path) -> None:
    codes = [f"{number * 37:05d}" for number in range(60)]
    assert sorted(ingest(tmp_path, _table(tmp_path / "t.csv", codes))[2]["x"].to_pylist()) == codes
    (tmp_path / "long").mkdir()
    huge = [f"1000000000{number * 37:011d}" for number in range(60)]
    assert sorted(ingest(tmp_path / "long", _table(tmp_path / "h.csv", huge))[2]["x"].to_pylist()) == huge


def test_na_is_no_label_unless_the_project_file_says_that_it_is_a_class(tmp_path: Path) -> None:
    source = _table(tmp_path / "t.csv", [str(n) for n in range(90)], ["yes", "no", "NA"] * 30)
    task = {"task": "multiclass_classification"}
    rows = _ingest_task(tmp_path / "a", source, task, quarantine_limit=0.5)
    assert set(rows["y"].to_pylist()) == {"yes", "no"}
    rows = _ingest_task(tmp_path / "b", source, task, columns={"y": {"type": "category"}})
    assert set(rows["y"].to_pylist()) == {"yes", "no", "NA"}


def _ingest_task(folder: Path, source: Path, task: dict[str, str], **data: Any) -> Any:
    import pyarrow as pa

    from components._core.examples.artifact import SPLITS, read_batches
    from components._core.project.project_file import parse_project
    from components.ingest.ingest import ingest_examples

    (folder / "examples").mkdir(parents=True)
    (folder / "quarantine").mkdir()
    project = parse_project({"name": "p", "label": "y", "data": {"source": str(source), **data}, **task})
    ingest_examples(project, examples=folder / "examples", quarantine=folder / "quarantine")
    return pa.Table.from_batches([b for split in SPLITS for b in read_batches(folder / "examples", split)])


def test_a_later_file_is_read_by_the_earlier_type_and_set_aside_where_most_cells_do_not_fit(tmp_path: Path) -> None:
    numbers = [str(number) for number in range(40)]
    _table(tmp_path / "s-1.csv", numbers)
    _table(tmp_path / "s-2.csv", [*numbers[:38], "A7", "B9"])
    _table(tmp_path / "s-3.csv", [*(f"word {number}" for number in range(30)), *numbers[:10]])
    (tmp_path / "two").mkdir()
    outcome, _, rows = ingest(tmp_path / "two", tmp_path / "s-{span}.csv", spans="1-2")
    assert rows["x"].null_count == 2 and "x: 'A7' (1), 'B9' (1)" in outcome.reason
    (tmp_path / "all").mkdir()
    with pytest.raises(DataError, match=r"s-3\.csv, line 2: 30 of 120 rows .*column 'x': 'word 0' is not a"):
        ingest(tmp_path / "all", tmp_path / "s-{span}.csv")


def test_odd_cells_can_set_their_row_aside_with_column_and_value(tmp_path: Path) -> None:
    source = _table(tmp_path / "t.csv", [*(str(number) for number in range(60)), "oops"])
    outcome, _, rows = ingest(tmp_path, source, odd_cells="quarantine", quarantine_limit=0.1)
    assert rows.num_rows == 60 and outcome.metrics["quarantined"] == 1
    (row,) = map(json.loads, (tmp_path / "quarantine" / "rows.jsonl").read_text().splitlines())
    assert (row["line"], row["reason"]) == (62, "column 'x': 'oops' is not a number")


def test_an_entry_changes_the_fingerprint_and_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = _table(tmp_path / "t.csv", [*map(str, range(60)), "-999", "-999"])
    prints = []
    for name, columns in (("a", {}), ("b", {"x": {"type": "number", "missing": ["-999"]}})):
        (tmp_path / name).mkdir()
        prints.append(ingest(tmp_path / name, source, columns=columns)[1])
    assert prints[0] != prints[1]
    (tmp_path / "c").mkdir()
    with pytest.raises(ConfigError, match=r"data\.columns.*\n?.*there is no column 'xx'|there is no column 'xx'"):
        ingest(tmp_path / "c", source, columns={"xx": {"type": "text"}})
