"""Avro keeps its types, with every codec; damage is reported with the block, and an optional package that is missing by name."""

from __future__ import annotations

import datetime
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import cramjam
import fastavro
import pyarrow as pa
import pytest

from components._core import extras
from components._core.errors import ConfigError, DataError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from tests.components.data.formats.reading import read_table

AT = datetime.datetime(2013, 5, 1, 10, 0, 0, 250_000, tzinfo=datetime.UTC)


def write(path: Path, fields: list[tuple[str, Any]], rows: list[dict[str, Any]], **options: Any) -> Path:
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    with path.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(schema), rows, **options)
    return path


def logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("kind", "values", "arrow", "seen"),
    [
        (["null", "long"], [2**53 + 1, None], pa.int64(), [2**53 + 1, None]),
        ("int", [1, 2], pa.int64(), [1, 2]),
        ("boolean", [True, False], pa.bool_(), [True, False]),
        ("float", [0.5, float("nan")], pa.float32(), [0.5, None]),
        (["double", "null"], [0.1, None], pa.float64(), [0.1, None]),
        (["null", "int", "double"], [1, 2.5], pa.float64(), [1.0, 2.5]),
        (["null", "int", "string"], [1, "a"], pa.string(), ["1", "a"]),
        ("string", ["é", ""], pa.string(), ["é", None]),
        ("bytes", [b"\xff", b""], pa.binary(), [b"\xff", b""]),
        ({"type": "fixed", "name": "f", "size": 2}, [b"ab", b"cd"], pa.binary(), [b"ab", b"cd"]),
        ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, ["B", "A"], pa.string(), ["B", "A"]),
        ("null", [None, None], pa.string(), [None, None]),
        (["null", logical("int", "date")], [AT.date(), None], pa.date32(), [AT.date(), None]),
        (logical("long", "timestamp-millis"), [AT, AT], pa.timestamp("ms", "UTC"), [AT, AT]),
        (logical("long", "timestamp-micros"), [AT, AT], pa.timestamp("us", "UTC"), [AT, AT]),
        (logical("long", "local-timestamp-micros"), [AT.replace(tzinfo=None)] * 2, pa.timestamp("us"), [AT.replace(tzinfo=None)] * 2),
        (logical("int", "time-millis"), [datetime.time(9, 30)] * 2, pa.string(), ["09:30:00.000"] * 2),
        (logical("bytes", "decimal", precision=9, scale=2), [Decimal("0.10"), Decimal("-7.25")], pa.float64(), [0.1, -7.25]),
        (logical("bytes", "decimal", precision=12), [Decimal(7), Decimal(-7)], pa.int64(), [7, -7]),
        (logical("string", "uuid"), [uuid.UUID(int=1)] * 2, pa.string(), [str(uuid.UUID(int=1))] * 2),
        ({"type": "array", "items": "int"}, [[1, 2], []], pa.string(), ["[1,2]", "[]"]),
        ({"type": "map", "values": ["null", "string"]}, [{"k": "é"}, {"k": None}], pa.string(), ['{"k":"é"}', '{"k":null}']),
    ],
)  # fmt: skip
def test_a_column_keeps_its_values_in_the_type_of_the_schema(
    tmp_path: Path, kind: Any, values: list[Any], arrow: pa.DataType, seen: list[Any]
) -> None:
    path = write(tmp_path / "t.avro", [("c", kind), ("y", "int")], [{"c": value, "y": 1} for value in values])
    table, rejected = read_table(path)
    assert not rejected and table.schema.field("c").type == arrow and table["c"].to_pylist() == seen


def test_records_in_records_become_columns_with_dotted_names(tmp_path: Path) -> None:
    home = {"type": "record", "name": "home", "fields": [{"name": "zip", "type": ["null", "string"]}]}
    node = {
        "type": "record",
        "name": "node",
        "fields": [{"name": "at", "type": ["null", home]}, {"name": "next", "type": ["null", "node"]}],
    }
    rows = [{"n": {"at": {"zip": "01"}, "next": {"at": None, "next": None}}, "y": 1}, {"n": None, "y": 2}]
    table, _ = read_table(write(tmp_path / "t.avro", [("n", ["null", node]), ("y", "int")], rows))
    assert table.to_pydict() == {"n.at.zip": ["01", None], "n.next": ['{"at":null,"next":null}', None], "y": [1, 2]}


def block_ends(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return [block.offset + block.size for block in fastavro.block_reader(stream)]


def write_zstandard(stream: Any, content: bytes, level: int | None) -> None:
    packed = bytes(cramjam.zstd.compress(content))
    size = len(packed) << 1
    while size > 0x7F:
        stream.write(bytes([size & 0x7F | 0x80]))
        size >>= 7
    stream.write(bytes([size]) + packed)


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "snappy", "zstandard", "xz"])
def test_every_codec_is_read_and_its_damage_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    if codec == "zstandard":  # fastavro writes it only with `backports.zstd`
        monkeypatch.setitem(fastavro._write.BLOCK_WRITERS, codec, write_zstandard)
    path = write(tmp_path / "t", [("y", "int")], [{"y": n} for n in range(5_000)], codec=codec, sync_interval=1_000)
    assert read_table(path)[0]["y"].to_pylist() == list(range(5_000))
    end, content = block_ends(path)[0], path.read_bytes()
    path.write_bytes(content[: end + 8] + b"\xff" * 60 + content[end + 68 :])
    with pytest.raises(DataError, match=r"t, block \d+, after row \d+.*: cannot be read as Avro: \w"):
        read_table(path)


ROWS = [{"x": f"value {n}", "y": n} for n in range(2_000)]
FIELDS: list[tuple[str, Any]] = [("x", "string"), ("y", "int")]


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda content, ends: content[: ends[1] + 50], r"block 3, after row \d+"),
        (lambda content, ends: content[: ends[1] - 5] + b"\xff" * 5 + content[ends[1] :], r"block 2, after row \d+"),
        (
            lambda content, ends: content[: ends[0] + 8] + b"\xff" * 400 + content[ends[0] + 408 :],
            r"block 2, after row",
        ),
        (lambda content, ends: content[:40], "the header"),
        (lambda content, ends: content.replace(b'"name"', b'"n*me"', 1), "the header"),
    ],
    ids=["cut off", "wrong sync marker", "garbage in a block", "cut off in the header", "a schema without a name"],
)
def test_damage_is_reported_with_file_and_block(tmp_path: Path, spoil: Any, place: str) -> None:
    path = write(tmp_path / "t.avro", FIELDS, ROWS, codec="deflate", sync_interval=4_000)
    path.write_bytes(spoil(path.read_bytes(), block_ends(path)))
    with pytest.raises(DataError, match=rf"t\.avro, {place}.*: cannot be read as Avro: ."):
        read_table(path)


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"x,y\n1,2\n", "is not an Avro file")])
def test_other_content_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.avro").write_bytes(content)
    with pytest.raises(DataError, match=rf"t\.avro: {message}"):
        read_table(tmp_path / "t.avro", format="avro")


def test_a_file_of_values_without_names_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    fastavro.writer(content, {"type": "array", "items": "int"}, [[1]])
    (tmp_path / "t.avro").write_bytes(content.getvalue())
    with pytest.raises(DataError, match=r"t\.avro: has no records"):
        read_table(tmp_path / "t.avro")


def test_a_type_that_changed_between_files_is_refused_with_both(tmp_path: Path) -> None:
    write(tmp_path / "t-1.avro", [("x", "int"), ("y", "int")], [{"x": 1, "y": 1}])
    write(tmp_path / "t-2.avro", [("x", "string"), ("y", "int")], [{"x": "a", "y": 1}])
    with pytest.raises(DataError, match=r"t-2\.avro: column 'x' .* read as string; in t-1\.avro it is read as int64"):
        read_table(tmp_path / "t-{span}.avro")


def test_rows_without_a_label_and_infinite_numbers_are_set_aside(tmp_path: Path) -> None:
    rows = [{"x": 1.0, "y": 1}, {"x": float("inf"), "y": 1}, {"x": 2.0, "y": None}]
    table, rejected = read_table(write(tmp_path / "t.avro", [("x", "double"), ("y", ["null", "int"])], rows))
    assert table["x"].to_pylist() == [1.0] and [row.place for row in rejected] == ["t.avro, row 2", "t.avro, row 3"]


def test_a_missing_package_is_reported_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "fastavro")
    with pytest.raises(
        ConfigError, match="the format 'avro' needs packages that are not installed: fastavro"
    ) as caught:
        open_format(Data(source="t.avro"))
    assert "pip install 'naru[avro]'" in caught.value.remedy
