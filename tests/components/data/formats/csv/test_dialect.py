"""How a CSV file is written is detected in its first lines, shown, and the same for all files of a source."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import Manifest
from components._core.project.data_config import Data
from components._core.project.table_config import Csv
from components._data.formats.csv.dialect import detect_dialect
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from pipelines.scaffold.create_project import parse_csv
from tests.components.data.formats.csv.ingest_csv import ingest, ingest_files, quarantined

ROWS = [(n, n * 2, f"word{n % 3}", n % 5) for n in range(60)]


def table(separator: str = ",", header: str = "a,b,c,y") -> str:
    lines = [separator.join(map(str, row)) for row in ROWS]
    return "\n".join([header.replace(",", separator), *lines]) + "\n"


def detected(folder: Path, text: str, **options: Any) -> dict[str, object]:
    (folder / "t.csv").write_text(text, newline="")
    (file,) = open_source(str(folder / "t.csv")).list_files("all")
    return detect_dialect(file, Csv(**options)).unusual


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table(), {}),
        (table(";"), {"separator": ";"}),
        (table("\t"), {"separator": "\t"}),
        (table("|"), {"separator": "|"}),
        ("a;b;y\n" + "1,5;2,25;x\n" * 40, {"separator": ";"}),
        ("name;size, cm;y\n" + "A, B;1,5;0\n" * 40, {"separator": ";"}),
        ("tags,b,y\n" + "x;y;z,1,0\n" * 40, {}),
        ('a,b\n"x\ny;z",1\n' * 9, {}),
        ("# exported, by, x\n#\n" + table(";"), {"separator": ";", "skip_lines": 2}),
        ("##source\n#a,b,c,y\n" + table().partition("\n")[2], {"skip_lines": 1}),  # the header is a comment
        ("Sales report\nfrom: 2024-01-01\n\n" + table(), {"skip_lines": 3}),
        ("Sales,,,\n,,,\n" + table(), {"skip_lines": 2}),
        ("sep=;\n" + table(";"), {"separator": ";", "skip_lines": 1}),
        ("sep=^\n" + table("^"), {"separator": "^", "skip_lines": 1}),
        ("a,b,y\n" + "'x, 1','it''s',1\n" * 20, {"quote": "'"}),
        ("a,b,y\n" + "it's,o'x,1\n" * 20, {}),
        ("y\n1\n2\n", {}),
        ("", {}),
        ('"a","y"\n' + '"r1",1,2\n' * 20, {}),  # R's table without a name for its row names: reported when it is read
        ("x\n" + "r1\tv1\n" * 20, {}),
    ],
)
def test_what_a_file_does_not_say_is_detected(text: str, expected: dict[str, object], tmp_path: Path) -> None:
    assert detected(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"separator": "|"}, {"separator": "|"}),
        ({"separator": "tab"}, {"separator": "\t"}),
        ({"skip_lines": 1}, {"separator": ";", "skip_lines": 1}),
        ({"quote": ""}, {"separator": ";", "quote": ""}),
    ],
)
def test_what_the_project_names_is_not_detected(options: Any, expected: dict[str, object], tmp_path: Path) -> None:
    assert detected(tmp_path, table(";"), **options) == expected


def zstandard(content: bytes) -> bytes:
    return bytes(pa.compress(content, "zstd", asbytes=True))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard])
def test_a_compressed_table_is_read_and_its_digest_is_that_of_the_file(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = pack(table().encode()) + (b"\0" * 99 if pack is gzip.compress else b"")  # padded, as on tapes
    outcome, read = ingest(tmp_path, content, name="table.bin")
    assert read.num_rows == 60 and set(read["a"].to_pylist()) == set(range(60))
    assert outcome.reason.endswith(("gzip", "bzip2", "xz", "zstandard"))
    (file,) = Manifest.load(tmp_path / "examples").files
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_lines_before_the_header_count_in_the_lines_of_rows(tmp_path: Path) -> None:
    text = "Report\r\n\r\n# x\r\n" + table(";").replace("\n", "\r\n").replace("\r\n7;14", "\r\n7;14;3")
    outcome, read = ingest(tmp_path, text.encode("utf-16"), quarantine_limit=0.1)
    assert "separator: semicolon, encoding: utf-16-le, 3 lines before the header skipped" in outcome.reason
    (row,) = quarantined(tmp_path)
    assert row["line"] == 3 + 1 + 8 and read.num_rows == 59


def test_the_fingerprint_of_a_plain_file_does_not_change_with_new_options(tmp_path: Path) -> None:
    for name, text in {"plain": table(), "semicolon": table(";")}.items():
        (tmp_path / name).write_text(text)
        (file,) = open_source(str(tmp_path / name)).list_files("all")
        kind = open_format(Data(source=name), file)
        kind.infer_schema([file], "y")
        assert kind.options == {"quote": '"', "escape": ""} | ({} if name == "plain" else {"separator": ";"})
        assert kind.detected == ({} if name == "plain" else {"separator": ";"})


def test_a_file_with_another_separator_than_the_first_is_reported(tmp_path: Path) -> None:
    (tmp_path / "t-1.csv").write_text(table(";"))
    (tmp_path / "t-2.csv").write_text(table(","))
    with pytest.raises(DataError, match=r"t-2\.csv: columns seem to be separated by ','"):
        ingest_files(tmp_path, "t-{span}.csv")


@pytest.mark.parametrize("plain", [True, False])
def test_comments_are_skipped_anywhere_where_the_project_says_so(plain: bool, tmp_path: Path) -> None:
    lines = table().splitlines(keepends=True)
    lines.insert(30, "# a comment, with a comma\n")
    lines.insert(0, "#\n")
    text = "".join(lines) if plain else "".join(lines).replace("word1", '"word1"')
    _, read = ingest(tmp_path, text, csv={"comment": "#"})
    assert read.num_rows == 60 and set(read["c"].to_pylist()) == {"word0", "word1", "word2"}


@pytest.mark.parametrize(
    ("head", "name"), [('"",', "index"), (",", "index"), ("index,,", "column_2"), (",index,", "index_2")]
)
def test_a_column_without_a_name_gets_one_and_is_reported(head: str, name: str, tmp_path: Path) -> None:
    columns = head.count(",")
    text = f"{head}x,y\n" + "".join(f"{'1,' * columns}{n},{n % 5}\n" for n in range(50))
    outcome, read = ingest(tmp_path, text, split={"by": ["x"]})
    assert name in read.column_names and "" not in read.column_names
    assert f"has no name and is read as {name!r}" in outcome.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "ab"}, "--sep: found 'ab'"),
        ({"encoding": "cp9999"}, "--encoding: found 'cp9999'; allowed: utf-8, utf-16, cp949"),
        ({"encoding": "base64"}, "--encoding: found 'base64'"),
        ({"sep": ";", "quote": ";"}, "separator is ';', which is quote"),
    ],
)
def test_options_that_are_not_allowed_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_csv(**options)


def test_other_names_of_korean_and_of_utf_8_are_one_encoding() -> None:
    assert {Csv(encoding=name).encoding for name in ("EUC-KR", "euc_kr", "ms949", "CP949")} == {"cp949"}
    assert {Csv(encoding=name).encoding for name in ("UTF-8", "utf8", "utf-8-sig")} == {"utf-8"}


R_ROWS = [(f"row {n}", n, f"word {n % 3}", n % 5) for n in range(60)]


def r_table(separator: str, quote: str = '"') -> str:
    """The text that R's `write.table` writes."""

    def cell(value: object) -> str:
        return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)

    return "\n".join(separator.join(map(cell, row)) for row in [("x", "word", "y"), *R_ROWS]) + "\n"


@pytest.mark.parametrize("separator", [" ", "\t", ";", ","])
def test_the_names_of_rows_that_r_writes_without_a_header_are_a_column(separator: str, tmp_path: Path) -> None:
    outcome, read = ingest(tmp_path, r_table(separator))
    assert sorted(zip(*(read[name].to_pylist() for name in ("index", "x", "word", "y")), strict=True)) == sorted(R_ROWS)
    assert "one name fewer than the rows have cells, as R's write.table: column 1" in outcome.reason


def test_each_file_of_r_has_its_names_of_rows(tmp_path: Path) -> None:
    for span in (1, 2):
        (tmp_path / f"t-{span}.txt").write_text(r_table("\t", ""))
    assert ingest_files(tmp_path, "t-{span}.txt")[1]["index"].to_pylist().count("row 7") == 2


@pytest.mark.parametrize(
    "text",
    [
        "id,price,y\n" + "".join(f"{n},1,{n + 100},{n % 2}\n" for n in range(60)),  # 1,234 is one number
        "id;price;y\n" + "".join(f"a;{n};{n % 5};{n % 2}\n" for n in range(60)),  # names that repeat are none
        "id;price;y\n" + "".join(f"{n};{n % 5};{n % 2};\n" for n in range(60)),  # a separator behind the last cell
    ],
)
def test_other_rows_with_a_cell_too_many_are_not_those_of_r(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"60 of 60 rows cannot be read|few rows fit it"):
        ingest(tmp_path, text)
