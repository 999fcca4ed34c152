"""A row's split does not depend on what else is read: other spans, other types, another order of columns."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.project.project_file import Project
from components._data.formats.csv import blocks
from components.ingest.ingest import ingest_examples

Row = dict[str, str]
COLUMNS = ("id", "a", "b", "c", "y")


def make_rows(span: int, count: int = 120) -> list[Row]:
    """Make rows identified by their `id`; every cell as raw text."""
    return [
        {
            "id": str(1_000 * span + number),
            "a": str(number % 40),
            "b": f"{number % 7}.5",
            "c": "xyz"[number % 3],
            "y": str(number % 2),
        }
        for number in range(count)
    ]


def write_span(folder: Path, span: int, rows: list[Row], columns: tuple[str, ...] = COLUMNS) -> None:
    with (folder / f"t-{span}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def places(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Ingest some spans; the split of each row of a span by its id."""

    def ingest(spans: str = "all", of: int = 1, **data: Any) -> dict[str, str]:
        raw = {"source": str(tmp_path / "t-{span}.csv"), "spans": spans, "quarantine_limit": 0.5, **data}
        project = Project.model_validate({"name": "p", "task": "binary_classification", "label": "y", "data": raw})
        folder = tmp_path / f"examples-{len(list(tmp_path.iterdir()))}"
        for made in (folder, folder / "quarantine"):
            made.mkdir()
        ingest_examples(project, examples=folder, quarantine=folder / "quarantine")
        found = {}
        for split in SPLITS:
            path = split_file(folder, split, of)
            if path.exists():
                found |= {str(number): split for number in pq.read_table(path, columns=["id"])["id"].to_pylist()}
        return found

    return ingest


LATER: dict[str, Callable[[list[Row]], Any]] = {
    "a real number in a column of whole ones": lambda rows: rows[3].update(a="99.5"),
    "a missing cell": lambda rows: rows[3].update(a=""),
    "NA": lambda rows: rows[3].update(a="NA", b="NA"),
    "an exponent": lambda rows: rows[3].update(a="1e3"),
    "a sign": lambda rows: rows[3].update(a="+7"),
    "a negative zero": lambda rows: rows[3].update(a="-0", b="-0.0"),
    "blanks": lambda rows: rows[3].update(a=" 7 "),
    "a word in a column of numbers": lambda rows: rows[3].update(a="seven"),
    "words in all rows": lambda rows: [row.update(a=f"no {row['a']}") for row in rows],
    "truth values": lambda rows: [row.update(c="true") for row in rows],
    "numbers in a column of text": lambda rows: [row.update(c="7") for row in rows],
    "a whole number beyond 2**53": lambda rows: rows[3].update(a="9007199254740993", b="9007199254740993"),
}


@pytest.mark.parametrize("change", LATER)
def test_no_row_moves_when_a_later_span_has(change: str, tmp_path: Path, places: Callable[..., dict[str, str]]) -> None:
    later = make_rows(2)
    LATER[change](later)
    write_span(tmp_path, 1, make_rows(1))
    write_span(tmp_path, 2, later)
    before = places("1")
    assert places("all") == before and len(before) == 120 and set(before.values()) == set(SPLITS)
    alone, among = places("2", of=2), places("all", of=2)
    assert {row: alone[row] for row in among} == among


def test_no_row_moves_when_the_columns_come_in_another_order(
    tmp_path: Path, places: Callable[..., dict[str, str]]
) -> None:
    turned = ("y", "c", "b", "a", "id")
    write_span(tmp_path, 1, make_rows(1))
    write_span(tmp_path, 2, make_rows(2), turned)
    before, alone = places("1"), places("2", of=2)
    assert places("all") == before and places("all", of=2) == alone
    write_span(tmp_path, 1, make_rows(1), turned)
    assert places("1") == before


def test_no_row_moves_when_an_earlier_span_decides_another_type(
    tmp_path: Path, places: Callable[..., dict[str, str]]
) -> None:
    write_span(tmp_path, 1, make_rows(1))
    write_span(tmp_path, 2, make_rows(2))
    before = places("all", of=2)
    for text in ("0.5", "word", "0x1F", "007", "NA", "", '"'):
        first = make_rows(1)
        first[0]["a"] = text
        write_span(tmp_path, 1, first)
        after = places("all", of=2)
        assert {row: before[row] for row in after} == after and after


def test_quotes_and_other_ways_to_write_a_number_move_no_row(
    tmp_path: Path, places: Callable[..., dict[str, str]]
) -> None:
    write_span(tmp_path, 1, make_rows(1))
    before = places()
    for write in ("{}.0", '"{}"', " {}", "00{}", "{}."):
        lines = ["id,a,b,c,y"]
        lines += [f"{row['id']},{write.format(row['a'])},{row['b']}0,{row['c']},{row['y']}" for row in make_rows(1)]
        (tmp_path / "t-1.csv").write_text("\n".join(lines) + "\n")
        assert places() == before, write


def test_no_row_moves_with_the_size_of_the_blocks_that_are_read(
    tmp_path: Path, places: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_span(tmp_path, 1, make_rows(1))
    before = places()
    for size in (64, 333):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        assert places() == before


def test_rows_with_equal_features_land_together_whatever_their_label_and_identifier(
    tmp_path: Path, places: Callable[..., dict[str, str]]
) -> None:
    rows = make_rows(1, 840)  # each of 840 / 40 / 7 / 3 combinations once; then all of them again with the other label
    again = [{**row, "id": str(10_000 + int(row["id"])), "y": str(1 - int(row["y"]))} for row in rows]
    write_span(tmp_path, 1, rows + again)
    apart = places()
    assert any(apart[row["id"]] != apart[str(10_000 + int(row["id"]))] for row in rows)
    together = places(exclude=["id"])
    assert all(together[row["id"]] == together[str(10_000 + int(row["id"]))] for row in rows)


def test_a_new_column_in_a_later_span_is_refused_by_name(tmp_path: Path, places: Callable[..., dict[str, str]]) -> None:
    write_span(tmp_path, 1, make_rows(1))
    write_span(tmp_path, 2, [{**row, "new": "1"} for row in make_rows(2)], (*COLUMNS, "new"))
    with pytest.raises(DataError, match="new"):
        places()


def test_the_manifest_says_how_the_rows_were_split(tmp_path: Path, places: Callable[..., dict[str, str]]) -> None:
    write_span(tmp_path, 1, make_rows(1))
    places(exclude=["id"])
    split = Manifest.load(max(tmp_path.glob("examples-*"), key=lambda path: path.stat().st_mtime)).split
    assert split is not None and (split.rule, split.columns, split.grouped) == (2, ("a", "b", "c"), False)
