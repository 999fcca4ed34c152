"""JSON lines: nested objects become columns with dotted names, values keep their types, lines that are not rows are set aside."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._data.formats.jsonl import blocks
from tests.components.data.formats.reading import read_table


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_objects_are_flattened_and_values_keep_their_types(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        {
            "id": 2**53 + 1,
            "who": {"name": "é", "home": {"zip": "01234"}},
            "at": "2020-01-01",
            "ok": True,
            "x": 1,
            "y": 1,
        },
        {"id": 2, "who": None, "at": None, "ok": None, "x": 0.5, "y": 0},
        {"id": 3, "y": 1},
    )
    table, rejected = read_table(path)
    assert not rejected and table.to_pylist() == [
        {"id": 2**53 + 1, "who.name": "é", "who.home.zip": "01234", "at": "2020-01-01", "ok": True, "x": 1.0, "y": 1},
        {"id": 2, "who.name": None, "who.home.zip": None, "at": None, "ok": None, "x": 0.5, "y": 0},
        {"id": 3, "who.name": None, "who.home.zip": None, "at": None, "ok": None, "x": None, "y": 1},
    ]
    assert table.schema.field("ok").type == pa.bool_() and table.schema.field("id").type == pa.int64()


@pytest.mark.parametrize("lines_in_a_block", [1, 1_000])
def test_a_type_holds_for_the_whole_file_however_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines_in_a_block: int
) -> None:
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 40 * lines_in_a_block)
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x", "y": n} for n in range(5)]
    rows += [{"a": 1.5, "b": 2, "c": [1, 2.5, {"k": None}], "y": 5}, {"a": None, "b": True, "w": 2**70, "y": 6}]
    table, rejected = read_table(write(tmp_path / "t.jsonl", *rows))
    assert not rejected and table.to_pydict() == {
        "a": [1.0] * 5 + [1.5, None],
        "b": ["x"] * 5 + ["2", "true"],
        "y": list(range(7)),
        "c": [None] * 5 + ['[1,2.5,{"k":null}]', None],
        "w": [None] * 6 + [str(2**70)],
    }


def test_a_line_that_is_not_an_object_is_set_aside_with_its_number(tmp_path: Path) -> None:
    lines = [
        '{"x": 1, "y": 1}',
        "null",
        "5",
        "",
        '["x"]',
        '{"x": 2,',
        '{"x": 3, "x": 4, "y": 1}',
        '{"x": 5, "y": 1} null',
    ]
    table, rejected = read_table(write(tmp_path / "t.jsonl", *lines, '{"x": 6, "y": 1}', '{"x": 7}'))
    assert table["x"].to_pylist() == [1, 6]
    assert [(row.line, row.unit) for row in rejected] == [(n, "line") for n in (2, 3, 5, 6, 7, 8, 10)]
    reasons = [row.reason for row in rejected]
    assert reasons[:3] == [
        "the line is null, not an object",
        "the line is a number, not an object",
        "the line is a list, not an object",
    ]
    assert "not JSON" in reasons[3] and reasons[4] == "key 'x' occurs twice" and "label 'y' is missing" in reasons[6]


def test_bytes_that_are_not_utf_8_are_set_aside_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(
        b'{"x": "a", "y": 1}\n{"x": "\xe9", "y": 1}\n{"x": "\\ud800", "y": 1}\r\n{"x": "b", "y": 2}'
    )
    table, rejected = read_table(tmp_path / "t.jsonl")
    assert table["x"].to_pylist() == ["a", "b"] and [row.line for row in rejected] == [2, 3]
    assert "not UTF-8" in rejected[0].reason and "half of a character" in rejected[1].reason


def test_a_whole_number_beyond_2_53_among_real_ones_is_set_aside_and_never_rounded(tmp_path: Path) -> None:
    table, rejected = read_table(
        write(tmp_path / "t.jsonl", {"x": 0.5, "y": 1}, {"x": 2**53 + 1, "y": 1}, {"x": 7, "y": 1})
    )
    assert table["x"].to_pylist() == [0.5, 7.0]
    assert [row.line for row in rejected] == [2] and "9007199254740993 is not a real number" in rejected[0].reason


def test_a_column_of_objects_and_other_values_keeps_the_json_of_each(tmp_path: Path) -> None:
    table, rejected = read_table(write(tmp_path / "t.jsonl", {"x": {"a": 1}, "y": 1}, {"x": 5, "y": 1}))
    assert not rejected and table["x"].to_pylist() == ['{"a":1}', "5"]


def test_the_first_span_decides_between_number_and_text(tmp_path: Path) -> None:
    write(tmp_path / "t-1.jsonl", {"n": 1, "x": 1, "s": "a", "y": 1})
    write(tmp_path / "t-2.jsonl", {"n": 2, "x": 0.5, "s": 3, "y": 1}, {"n": "many", "x": 1, "s": "b", "y": 1})
    table, rejected = read_table(tmp_path / "t-{span}.jsonl")
    assert table.to_pydict() == {"n": [1, 2], "x": [1.0, 0.5], "s": ["a", "3"], "y": [1, 1]}
    assert (
        rejected[0].place == "t-2.jsonl, line 2" and "column 'n': \"many\" is not a whole number" in rejected[0].reason
    )


def test_a_span_that_lost_a_column_is_refused_with_both_files(tmp_path: Path) -> None:
    write(tmp_path / "t-1.jsonl", {"x": 1, "y": 1})
    write(tmp_path / "t-2.jsonl", {"y": 1})
    with pytest.raises(DataError, match=r"t-2\.jsonl: columns differ .*missing 'x' \(the first file is t-1\.jsonl\)"):
        read_table(tmp_path / "t-{span}.jsonl")


def test_gzip_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(gzip.compress(b'\xef\xbb\xbf{"x": 1, "y": 2}\r\n{"x": 3, "y": 4}\r\n'))
    assert read_table(tmp_path / "t")[0].to_pydict() == {"x": [1, 3], "y": [2, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'[\n{"y": 1}]', "is one JSON array, not JSON lines\n  -> write one object a line, as in: jq"),
        (b'{\n"y": 1\n}', "has JSON objects that span several lines"),
        ('{"y": 1}\n'.encode("utf-16"), "is not JSON lines in UTF-8"),
        ('{"나이": 1, "y": 1}\n{"나이": 2, "y": 1}\n'.encode("cp949"), "is not JSON lines in UTF-8"),
        (b"1\n2\n", "has no JSON object"),
        (gzip.compress(b'{"y": 1}\n' * 99, mtime=0)[:-9], "cannot be decompressed"),
        (b'{"x": 1}\n', "has no label column 'y'"),
        (b'{"a.b": 1, "a": {"b": 2}, "y": 1}\n', "duplicate column 'a.b'"),
    ],
)
def test_other_content_is_refused_with_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=rf"t\.jsonl: {message}"):
        read_table(tmp_path / "t.jsonl", format="jsonl")
