"""Read Avro files block by block, with fastavro."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

import cramjam
import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException

from components._core.errors import DataError
from components._data.formats.avro import zstandard_blocks
from components._data.formats.avro.arrow_types import Column, columns_of
from components._data.formats.bad_rows import BadRow
from components._data.formats.buffered_stream import buffered
from components._data.formats.compression import open_content
from components._data.formats.contract import TableSchema
from components._data.formats.rows import FileTally, Rows
from components._data.formats.typed_columns import readable_type
from components._data.formats.typed_rows import TypedRows, batch_rows
from components._data.sources.contract import SpanFile

_MAGIC = b"Obj\x01"
_MOST_ROWS = 4_096
"""Records at a time: more of Python's own objects would only make its garbage collector slower."""
_DAMAGED = (
    EOFError, ValueError, OverflowError, IndexError, TypeError, KeyError, AttributeError, MemoryError, RuntimeError, OSError,
    struct.error, zlib.error, lzma.LZMAError, cramjam.DecompressionError, SchemaParseException,
)  # fmt: skip
"""What fastavro, and the codecs under it, raise on damaged bytes; `UnicodeDecodeError` is a ValueError."""


def read_fields(file: SpanFile) -> list[pa.Field]:
    """Return the columns that a file's header declares.

    Raises:
        DataError: When it is not an Avro file of records.
    """
    with open_content(file) as stream:
        return [column.field for column in _columns(file, _open(file, stream))]


def read_rows(
    file: SpanFile,
    schema: TableSchema,
    label: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a file's rows in bounded batches; see `Format.read_rows`. A row's place is its number, from 1."""
    typed = TypedRows(file, schema, label, reject, cells, tally=tally)
    most = min(batch_rows(len(schema.types)), _MOST_ROWS)
    with open_content(file, (tally or FileTally()).watch) as stream:
        blocks = _open(file, stream)
        columns = [column for column in _columns(file, blocks) if _is_read(column, schema)]
        first = 1
        for batch in _read_records(file, blocks, most):
            try:
                arrays = _to_batch(batch, columns)
            except _DAMAGED as error:
                raise _damaged(file, f"rows {first:,} to {first + len(batch) - 1:,}", error) from error
            yield typed.convert(arrays, first)
            first += len(batch)


def _is_read(column: Column, schema: TableSchema) -> bool:
    name, kind = column.field.name, column.field.type
    return pa.types.is_struct(kind) or (name in schema.types and readable_type(kind) is not None)


def _to_batch(records: list[dict[str, Any]], columns: list[Column]) -> pa.RecordBatch:
    arrays = [column.to_array([record[column.field.name] for record in records]) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([column.field for column in columns]))


def _open(file: SpanFile, stream: Any) -> Any:
    zstandard_blocks.register()
    try:
        return fastavro.block_reader(buffered(stream))
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        with file.open() as again:
            start = again.read(len(_MAGIC))
        if not start:
            raise DataError("is empty", where=file.name, remedy="remove the file or write it again") from None
        if start != _MAGIC:
            remedy = "set data.format to its format, or leave it out"
            raise DataError("is not an Avro file", where=file.name, remedy=remedy) from None
        raise _damaged(file, "the header", error) from None


def _columns(file: SpanFile, blocks: Any) -> list[Column]:
    named: dict[str, Any] = {}
    try:
        schema = fastavro.parse_schema(blocks.writer_schema, named)
    except _DAMAGED as error:
        raise _damaged(file, "the header", error) from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise DataError(
            "has no records", where=file.name, remedy="an Avro table is a file of records with one field a column"
        )
    return columns_of(schema, named)


def _read_records(file: SpanFile, blocks: Any, most: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the records, at most so many at a time; a damaged block is named by its number, from 1, and the rows before it."""
    number, rows = 1, 0
    records: list[dict[str, Any]] = []
    try:
        for number, block in enumerate(blocks, start=1):
            inside = iter(block)
            while part := list(islice(inside, most - len(records))):
                rows += len(part)
                records += part
                if len(records) == most:
                    yield records
                    records = []
            number += 1
    except _DAMAGED as error:
        raise _damaged(file, f"block {number}, after row {rows:,}", error) from error
    if records:
        yield records


def _damaged(file: SpanFile, place: str, error: Exception) -> Exception:
    """Translate an error of damaged bytes; one of the disk or the network stays what it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    message = str(error).partition("\n")[0] or "the file ends in the middle"
    if isinstance(error, ValueError) and "codec" in message.lower():
        return DataError(
            f"cannot be decompressed: {message}",
            where=file.name,
            remedy="write it with the codec deflate, snappy, zstandard, bzip2 or xz",
        )
    return DataError(f"cannot be read as Avro: {message}", where=f"{file.name}, {place}", remedy="write the file again")
