"""The formats that predictions are written in: a part as bytes, and parts as one file."""

from __future__ import annotations

import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from components._core.errors import ConfigError
from components._core.examples.safe_parquet import pq
from components._core.suggestions import suggest
from components._core.types.column_types import to_text
from components._data.formats.typed_columns import as_json

_INFINITIES = {math.inf: "Infinity", -math.inf: "-Infinity"}


class OutputFormat(ABC):
    """A format of predictions.

    Attributes:
        name: Its name, also the ending of its files.
    """

    name: ClassVar[str]

    @abstractmethod
    def encode(self, rows: pa.Table) -> bytes:
        """Return rows as the content of a file; equal rows give equal bytes."""

    @abstractmethod
    def join(self, parts: Iterator[bytes], target: BinaryIO) -> None:
        """Write parts of equal columns as one file."""


class ParquetOutput(OutputFormat):
    """Parquet, compressed with snappy; a part is a row group."""

    name = "parquet"

    def encode(self, rows: pa.Table) -> bytes:
        """See `OutputFormat`."""
        sink = pa.BufferOutputStream()
        # format 2.6: an older one has no nanoseconds
        pq.write_table(rows, sink, compression="snappy", version="2.6")
        return bytes(sink.getvalue().to_pybytes())

    def join(self, parts: Iterator[bytes], target: BinaryIO) -> None:
        """See `OutputFormat`."""
        first = next(parts)
        second = next(parts, None)
        if second is None:
            target.write(first)
            return
        table = pq.read_table(pa.BufferReader(first))
        with pq.ParquetWriter(target, table.schema, compression="snappy", version="2.6") as writer:
            writer.write_table(table)
            while second is not None:
                writer.write_table(pq.read_table(pa.BufferReader(second)))
                second = next(parts, None)


class CsvOutput(OutputFormat):
    """CSV in UTF-8 with a header: texts are in quotes, a missing value is nothing, a list is JSON."""

    name = "csv"

    def encode(self, rows: pa.Table) -> bytes:
        """See `OutputFormat`."""
        sink = io.BytesIO()
        csv.write_csv(plain_columns(rows), sink)
        return sink.getvalue()

    def join(self, parts: Iterator[bytes], target: BinaryIO) -> None:
        """See `OutputFormat`."""
        for number, part in enumerate(parts):
            target.write(part if number == 0 else part[_header_bytes(part) :])


class JsonLinesOutput(OutputFormat):
    """JSON lines in UTF-8: an object for each row, in which a missing value is null."""

    name = "jsonl"

    def encode(self, rows: pa.Table) -> bytes:
        """See `OutputFormat`."""
        names = rows.column_names
        columns = [_json_values(rows[name]) for name in names]
        lines = [
            json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, separators=(",", ":"))
            for row in zip(*columns, strict=True)
        ]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")

    def join(self, parts: Iterator[bytes], target: BinaryIO) -> None:
        """See `OutputFormat`."""
        for part in parts:
            target.write(part)


OUTPUT_FORMATS: dict[str, OutputFormat] = {
    each.name: each for each in (ParquetOutput(), CsvOutput(), JsonLinesOutput())
}
"""The formats by name."""


def find_output_format(name: str) -> OutputFormat:
    """Return the format of that name.

    Raises:
        ConfigError: When there is none.
    """
    if name not in OUTPUT_FORMATS:
        raise ConfigError(f"unknown format {name!r}; {suggest(name, list(OUTPUT_FORMATS))}", where="--format")
    return OUTPUT_FORMATS[name]


def plain_columns(rows: pa.Table) -> pa.Table:
    """Return rows with numbers, truth values and texts only: a time is ISO text, bytes are base64, a list is JSON."""
    return pa.table({name: _plain(rows[name]) for name in rows.column_names})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if any(is_plain(kind) for is_plain in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)):
        return column
    if pa.types.is_list(kind):
        return pa.array([as_json(value) for value in column.to_pylist()], pa.string())
    return column if pa.types.is_string(kind) else to_text(column)


def _json_values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = (column if pa.types.is_list(column.type) else _plain(column)).to_pylist()
    if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
        return [_INFINITIES.get(value, value) for value in values]  # JSON has no number for it
    return values


def _header_bytes(part: bytes) -> int:
    """Return the length of a CSV's header; a name may hold a line break in its quotes."""
    is_quoted = False
    for place, byte in enumerate(part):
        if byte == ord('"'):
            is_quoted = not is_quoted
        elif byte == ord("\n") and not is_quoted:
            return place + 1
    return len(part)
