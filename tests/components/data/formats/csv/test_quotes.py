"""Quote errors: no row is lost uncounted, and a valid cell with line breaks is read."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from components._core.errors import DataError
from components._core.project.table_config import Csv
from components._data.formats.csv import blocks
from components._data.formats.csv.blocks import LONGEST_ROW, read_blocks
from components._data.formats.csv.csv_file import CsvFile
from tests.components.data.formats.csv.ingest_csv import ingest

HEADER = "id,word,note,y"


def table(rows: int = 2_000, end: str = "\n", last: str = "\n", **cells: str) -> str:
    """A table of which some cells are replaced: `c700_2='"x'` is the cell of row 700, column 2."""
    lines = [[str(n), f"w{n % 7}", f"note {n}", str(n % 10)] for n in range(rows)]
    for place, text in cells.items():
        row, column = map(int, place[1:].split("_"))
        lines[row][column] = text
    return end.join([HEADER, *map(",".join, lines)]) + last


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("cells", "line", "message"),
    [
        ({"c50_3": '"1'}, 52, "never closed; 1,949 more lines"),
        ({"c50_0": '"50'}, 52, "never closed; 1,949 more lines"),
        ({"c50_2": '"note'}, 52, "never closed; 1,949 more lines"),
        ({"c1999_3": '"9'}, 2001, "never closed"),
        ({"c50_3": '"1', "c1500_2": 'pipe 5"'}, 52, "1,450 more lines that look like rows"),
        ({"c50_0": '"50', "c1500_3": '9"'}, 52, "1,450 more lines that look like rows"),
        ({"c50_2": '"a', "c1500_2": '"b"'}, 52, "1,450 lines on by a quote followed by text"),
        ({"c50_1": '"a', "c80_2": '"b"', "c1500_2": '"c'}, 52, "30 lines on by a quote followed by text"),
        ({"c50_2": '"a', "c90_2": 'b"', "c700_2": '"c', "c790_2": 'd"'}, 52, "40 more lines that look like rows"),
    ],
)
def test_rows_swallowed_by_a_quote_end_the_run_with_their_line_whatever_the_limit(
    tmp_path: Path, end: str, cells: dict[str, str], line: int, message: str
) -> None:
    text = table(end=end, last=end, **cells)
    limit = 0.99 if "more" in message or "on by" in message else 0.0
    with pytest.raises(DataError, match=rf"t\.csv, line {line}: (.|\n)*{message}") as error:
        ingest(tmp_path, text, quarantine_limit=limit)
    assert "data.csv.escape" in (error.value.remedy or "") and "data.csv.quote" in (error.value.remedy or "")


@pytest.mark.parametrize(
    ("cells", "lost", "line"),
    [
        ({"c50_2": '"a', "c51_2": 'b"'}, 2, 52),
        ({"c50_2": '"a', "c53_2": 'b"'}, 4, 52),
        ({"c50_3": '"0', "c51_2": '5"'}, 2, 52),
        ({"c50_2": '"a', "c51_2": '"b"'}, 2, 52),
        ({"c1999_3": '"9'}, 1, 2001),
        ({"c50_2": '"a" b'}, 1, 52),
        ({"c50_2": '"say "hi" now"'}, 1, 52),
        ({"c50_2": "a\0b"}, 1, 52),
        ({"c50_2": "a,b"}, 1, 52),
        ({"c50_2": "a\rb"}, 2, 52),
    ],
)
def test_a_few_such_rows_are_counted_set_aside_and_named(
    tmp_path: Path, cells: dict[str, str], lost: int, line: int
) -> None:
    outcome, rows = ingest(tmp_path, table(last="", **cells), quarantine_limit=0.01)
    aside = [json.loads(row) for row in (tmp_path / "quarantine" / "rows.jsonl").read_text().splitlines()]
    assert (outcome.verdict, outcome.metrics["quarantined"]) == ("warn", lost)
    assert aside[0]["line"] == line and f"line {line}" in outcome.reason
    assert rows.num_rows + lost == 2_000 + (cells.get("c50_2") == "a\rb")


ADDRESS = '"12 Main St, Flat 4\nSpringfield, IL 62704\nUSA, North, 3"'


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "cells",
    [
        {"c50_2": ADDRESS, "c51_2": ADDRESS, "c900_2": '"x\n\n\ny"'},
        {"c0_2": ADDRESS, "c1999_2": ADDRESS},
        {"c50_2": '12" pipe', "c60_2": 'the 5" one', "c70_2": '""', "c80_2": '"a ""quoted"" word"'},
        {"c50_2": '"a, b\nc, d"', "c60_1": '"line one\nline, two, three, four"'},
        {"c50_1": '"a\nb"', "c51_2": '"c,d"', "c52_2": '"1,2,3\n4,5,6"'},
    ],
)
def test_a_cell_with_line_breaks_commas_and_quotes_is_read_without_a_word(
    tmp_path: Path, cells: dict[str, str], end: str
) -> None:
    cells = {place: text.replace("\n", end) for place, text in cells.items()}
    outcome, rows = ingest(tmp_path, table(end=end, last=end, **cells))
    assert (outcome.verdict, rows.num_rows) == ("ok", 2_000)
    plain = {text[1:-1].replace('""', '"') if text.startswith('"') else text for text in cells.values()}
    assert plain - {""} <= {*rows["note"].to_pylist(), *rows["word"].to_pylist()}


@pytest.mark.parametrize("label", ["pos,neg", "1,0"])
def test_a_table_of_two_columns_with_long_texts_raises_no_false_alarm(tmp_path: Path, label: str) -> None:
    labels = label.split(",")
    rows = "".join(
        f'"Review {n}, which says\nthat it was good, and fun\nor so, at least",{labels[n % 2]}\n' for n in range(400)
    )
    (tmp_path / "t").mkdir()
    text = "text,y\n" + rows
    raw = CsvFile(1, "t.csv", SimpleNamespace(open=lambda path, mode: io.BytesIO(text.encode())))
    found = list(read_blocks(raw, 2))
    assert sum(len(block.lines) for block in found) == 400
    assert not [row for block in found for row in block.bad]
    assert found[0].lines[:3].tolist() == [2, 5, 8]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("name,address,y", 'N{0},"5 Main St\nSpringfield, IL, 6200{1}\nUSA",{1}'),
        ("address,y", '"{0} Main St\nSpringfield, 6200{1}\nUSA",{1}'),
        ('id,"name",y', '{0},"n{0}" ,{1}'),
        ('id,"name",y', '{0},"n{0}"  \t,{1}'),
        ('id,"Income\n(USD, yearly)",y', "{0},x,{1}"),
    ],
)
def test_more_ways_in_which_tables_are_written_raise_no_false_alarm(tmp_path: Path, header: str, row: str) -> None:
    lines = [row.format(number, number % 2) for number in range(600)]
    outcome, read = ingest(tmp_path, "\n".join([header, *lines]) + "\n")
    assert read.num_rows == 600 and outcome.metrics["quarantined"] == 0


def test_a_first_line_of_blanks_is_reported(tmp_path: Path) -> None:
    outcome, rows = ingest(tmp_path, "  \na,y\n1,0\n2,1\n3,0\n")
    assert rows.column_names == ["a", "y"] and "1 line before the header skipped" in outcome.reason


def test_empty_lines_are_counted(tmp_path: Path) -> None:
    outcome, rows = ingest(tmp_path, "\nx,y\n1,2\n\n\r\n3,4\n5,6\n\n")
    assert rows.num_rows == 3
    assert "3 empty lines skipped" in outcome.reason  # behind the header


def test_a_backslash_that_escapes_quotes_is_named_and_read_by_the_setting(tmp_path: Path) -> None:
    text = table(c50_2='"pipe 1\\""', c110_2='"pipe 2\\""')
    with pytest.raises(DataError, match=r"line 52(.|\n)*such a quote, as here, set data\.csv\.escape"):
        ingest(tmp_path / "a", text)
    outcome, rows = ingest(tmp_path / "b", text, csv={"escape": "\\"})
    assert outcome.verdict == "ok"
    assert {'pipe 1"', 'pipe 2"'} <= set(rows["note"].to_pylist())


def test_without_quoting_a_quote_is_an_ordinary_character(tmp_path: Path) -> None:
    outcome, rows = ingest(tmp_path, table(c50_2='"open', c60_2='"'), csv={"quote": ""})
    assert (outcome.verdict, rows.num_rows) == ("ok", 2_000)
    assert {'"open', '"'} <= set(rows["note"].to_pylist())


@pytest.mark.parametrize("header", ['id,word,note,"y', '"id,word,note,y', 'id,word,"note"x,y'])
def test_a_quote_error_in_the_header_is_reported(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match="line 1: a quote in the header is not closed"):
        ingest(tmp_path, table(c50_2='5"').replace(HEADER, header))


def test_a_line_is_a_physical_one_behind_cells_with_line_breaks(tmp_path: Path) -> None:
    text = 'x,note,y\n1,"a\nb\nc",1\n\n2,d,1\n3,e\nbad,"f\ng",2\n4,h,\n'
    with pytest.raises(DataError, match=r"t\.csv, line 7: 2 of 5"):
        ingest(tmp_path / "a", text.replace("bad", "9"))
    outcome, _ = ingest(tmp_path / "b", text.replace("bad", "9"), quarantine_limit=0.9)
    aside = [json.loads(row) for row in (tmp_path / "b" / "quarantine" / "rows.jsonl").read_text().splitlines()]
    assert [(row["line"], row["reason"]) for row in aside] == [
        (7, "2 fields where the header has 3"),
        (10, "the label 'y' is missing"),
    ]
    assert outcome.metrics["rows"] == 3


@pytest.mark.parametrize("shift", [-2, -1, 0, 1])
def test_no_byte_is_lost_where_a_block_ends_between_cr_and_lf(
    tmp_path: Path, shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 4_096
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    text = table(400, end="\r\n", last="\r\n")
    before = text[: text.index("\r\n", size - 400) + 2]
    filler = "f" * (size - len(before) - len('77,w,"') - 1 + shift)
    cell = f"{filler}\r\nend"
    outcome, rows = ingest(tmp_path, f'{before}77,w,"{cell}",3\r\n' + text[len(before) :])
    assert outcome.verdict == "ok"
    assert rows.num_rows == 401
    assert cell in rows["note"].to_pylist()


def test_a_row_over_many_blocks_is_read_and_one_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 12)
    long = "x" * 50_000
    outcome, rows = ingest(tmp_path / "a", table(500, c100_2=long, c300_2=f'"{long}\n{long}"'))
    assert (outcome.verdict, rows.num_rows) == ("ok", 500)
    assert {long, f"{long}\n{long}"} <= set(rows["note"].to_pylist())
    monkeypatch.setattr(blocks, "LONGEST_ROW", 40_000)
    with pytest.raises(DataError, match=r"t\.csv, line 102: a row is longer than"):
        ingest(tmp_path / "b", table(500, c100_2=long))


def test_the_longest_row_leaves_room_for_documents_and_for_the_machine() -> None:
    assert 20_000_000 < LONGEST_ROW <= 128 << 20


def _expected(text: str, csv: Csv) -> list[tuple[int, str, bool]]:
    """Rows as (line, text, whether it has a quote error), from a state machine over single characters."""
    rows, line, first, start, at, state, wrong = [], 1, 1, 0, 0, "start", False
    while at < len(text):
        mark, after = text[at], text[at + 1 : at + 2]
        is_end = mark == "\n" or (mark == "\r" and after != "\n")
        if csv.escape and mark == csv.escape and state != "closed":
            line += after == "\n" or (after == "\r" and text[at + 2 : at + 3] != "\n")
            state, at = "open" if state == "open" else "text", at + 2
            continue
        if state == "open":
            line += is_end
            if mark == csv.quote and after == csv.quote:
                at += 1
            elif mark == csv.quote:
                state = "closed"
        elif state == "closed" and mark not in ",\r\n":
            state, wrong = "text", True
            continue
        elif mark in "\r\n":
            at += mark == "\r" and after == "\n"
            line += 1
            if text[start : at + 1].strip("\r\n"):
                rows.append((first, text[start : at + 1], wrong))
            start, first, state, wrong = at + 1, line, "start", False
        elif mark == ",":
            state = "start"
        else:
            state = "open" if state == "start" and mark == csv.quote else "text"
        at += 1
    return [*rows, (first, text[start:], wrong or state == "open")] if start < len(text) else rows


@pytest.mark.parametrize("csv", [Csv(), Csv(escape="\\"), Csv(quote=""), Csv(quote="'", escape="^")])
def test_any_text_is_cut_as_a_slow_reader_cuts_it(csv: Csv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.RowShape, "is_swallowed", lambda self, row: False)
    dice = random.Random(11)
    marks = ["a", ",", csv.quote or '"', "\n", "\r\n", "\r", csv.escape or "\\"]
    for _ in range(400):
        text = "x,y\n" + "".join(dice.choices(marks, [4, 4, 5, 2, 2, 0.3, 1], k=dice.randint(1, 30)))
        monkeypatch.setattr(blocks, "BLOCK_BYTES", dice.randint(1, 12))
        opened: Callable[[str, str], io.BytesIO] = lambda path, mode, text=text: io.BytesIO(text.encode())  # type: ignore[misc]  # noqa: E731
        found = list(read_blocks(CsvFile(1, "t.csv", SimpleNamespace(open=opened), csv=csv), 2))
        expected = _expected(text, csv)[1:]
        assert [line for block in found for line in block.lines.tolist()] == [row[0] for row in expected if not row[2]]
        assert [row.line for block in found for row in block.bad] == [row[0] for row in expected if row[2]]
        kept = "".join(row[1] for row in expected if not row[2])
        data = b"".join(block.data for block in found).decode()
        assert _without_line_ends(data) == _without_line_ends(kept)


def _without_line_ends(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")  # an empty line may stay in a block
