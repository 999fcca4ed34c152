"""Open Parquet files and read their rows in bounded batches.

Every file is read through `safe_parquet`. A local file is read in place; another one is
copied into a temporary file while its digest is taken, since Parquet is read from its end and by columns: it crosses
the network once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from components._core.errors import DataError
from components._core.examples.safe_parquet import pq
from components._core.store.filesystems import is_local
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import Preview, TableSchema
from components._data.formats.rows import FileTally, Rows, cells_as_text
from components._data.formats.typed_columns import convert, flatten_columns, flatten_fields, readable_type
from components._data.formats.typed_rows import TypedRows, batch_rows
from components._data.sources.contract import SpanFile

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_READ_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 16
_BATCH_BYTES = 32 << 20
_PREVIEW_ROWS = 2_000
_UNKNOWN_TYPE = "Unrecognized type"


@contextmanager
def open_parquet(file: SpanFile, stream: BinaryIO | None = None) -> Iterator[Any]:
    """Open a file as a `pyarrow.parquet.ParquetFile`, and translate its errors while it is read.

    Args:
        file: The file to read.
        stream: Content of the file, if already open.

    Raises:
        DataError: When it is empty, not a Parquet file, cut off or damaged.
    """
    with stream or file.open() as opened:
        _check_kind(file, opened)
        try:
            # a buffer: pages are read as they are needed, not a column's whole chunk, which may be as large as the file
            yield pq.ParquetFile(opened, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:  # pyarrow's own errors are kinds of these
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk or the network
            if _UNKNOWN_TYPE in str(error):
                raise _too_new(file) from None
            raise _damaged(file, str(error).partition("\n")[0]) from None


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
    with _content(file, tally or FileTally()) as stream, open_parquet(file, stream) as opened:
        columns = _columns_to_read(opened, schema)
        first = 1
        for batch in opened.iter_batches(batch_size=_rows_at_once(opened, schema), columns=columns, use_threads=False):
            yield typed.convert(batch, first)
            first += batch.num_rows


def _rows_at_once(opened: Any, schema: TableSchema) -> int:
    """Return the number of rows read at a time: fewer of long values, such as pictures."""
    groups = [opened.metadata.row_group(place) for place in range(opened.metadata.num_row_groups)]
    longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0.0)
    return max(1, min(batch_rows(len(schema.types)), int(_BATCH_BYTES / max(longest, 1.0))))


def _columns_to_read(opened: Any, schema: TableSchema) -> list[str] | None:
    """Return the top-level columns with a part in the table whose type can be read; None: all of them."""
    read = {
        field.name: any(
            part.name in schema.types and readable_type(part.type) is not None for part in flatten_fields([field])
        )
        for field in opened.schema_arrow
    }
    return None if all(read.values()) else [name for name, is_read in read.items() if is_read]


def preview_file(file: SpanFile) -> Preview | None:
    """Read the first rows of a file as text; None when it cannot be read."""
    try:
        with open_parquet(file) as opened:
            fields = flatten_fields(list(opened.schema_arrow))
            names = [field.name for field in fields if readable_type(field.type) is not None]
            if len(names) < len(fields) or len(set(names)) < len(names):
                return None
            batch = next(opened.iter_batches(batch_size=_PREVIEW_ROWS, use_threads=False), None)
    except DataError:
        return None
    if batch is None:
        return Preview(names, [])
    columns = [
        cells_as_text(convert(column, readable_type(column.type)).values) for column in flatten_columns(batch).values()
    ]
    return Preview(names, [list(row) for row in zip(*columns, strict=True)])


@contextmanager
def _content(file: SpanFile, tally: FileTally) -> Iterator[BinaryIO]:
    """Open a file's content, and compute its digest."""
    if is_local(file.filesystem):
        with file.open() as stream:
            while part := stream.read(_READ_BYTES):
                tally.watch(part)
            stream.seek(0)
            yield stream
        return
    with tempfile.TemporaryFile() as copy:
        with file.open() as stream:
            while part := stream.read(_READ_BYTES):
                tally.watch(part)
                copy.write(part)
        copy.seek(0)
        yield copy


def _check_kind(file: SpanFile, stream: BinaryIO) -> None:
    """Refuse a file that is not Parquet by its first and last bytes."""
    head = stream.read(len(_MAGIC))
    if not head:
        raise DataError("is empty", where=file.name, remedy="remove the file or write it again")
    if head == _ENCRYPTED:
        raise DataError("is encrypted", where=file.name, remedy="write it without encryption")
    if head != _MAGIC:
        remedy = "set data.format to its format (csv), or leave it out and rename the file to end in .csv"
        raise DataError("is not a Parquet file", where=file.name, remedy=remedy)
    size = stream.seek(0, 2)
    stream.seek(max(size - len(_MAGIC), 0))
    if size < 3 * len(_MAGIC) or stream.read(len(_MAGIC)) != _MAGIC:
        raise _damaged(file, "the Parquet footer is missing: the file was cut off")
    stream.seek(0)


def _too_new(file: SpanFile) -> DataError:
    """Explain a column of `string_view`, which polars and other new writers may use: pyarrow 10 does not know it."""
    return DataError(
        "has a column of a type that this version of pyarrow cannot read, such as string_view",
        where=file.name,
        remedy="write it with plain strings (polars: write_parquet(..., use_pyarrow=True); Delta: cast to large_string), "
        "or run Naru with Python 3.12, whose pyarrow reads it",
    )


def _damaged(file: SpanFile, message: str) -> DataError:
    return DataError(f"cannot be read as Parquet: {message}", where=file.name, remedy="write the file again")
