"""Read Arrow IPC from its beginning to its end, in bounded batches; memory holds one batch of the writer.

A file in the IPC file format is read as the stream that it contains: its footer is needed for random access only.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa

from components._core.errors import DataError
from components._data.formats.arrow.format import FILE_START, STREAM_START
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import Preview, TableSchema
from components._data.formats.rows import FileTally, Rows, cells_as_text
from components._data.formats.typed_columns import convert, flatten_columns, flatten_fields, readable_type
from components._data.formats.typed_rows import TypedRows, batch_rows
from components._data.sources.contract import SpanFile

_END_OF_STREAM = STREAM_START + bytes(4)
_END_OF_FILE = FILE_START.rstrip(b"\0")
_READ_BYTES = 1 << 20
_PREVIEW_ROWS = 2_000


def read_fields(file: SpanFile) -> list[pa.Field]:
    """Read the columns of a file from its beginning.

    Raises:
        DataError: When it is not Arrow IPC, or damaged.
    """
    with _open(file) as (reader, _):
        return list(reader.schema)


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
    most, first = batch_rows(len(schema.types)), 1
    with _open(file, tally) as (reader, stream):
        for batch in _checked(reader):
            for start in range(0, batch.num_rows, most):
                part = batch.slice(start, most)
                yield typed.convert(part, first)
                first += part.num_rows
        stream.finish()


def preview_file(file: SpanFile) -> Preview | None:
    """Read the first rows of a file as text; None when it cannot be read."""
    try:
        with _open(file) as (reader, _):
            fields = flatten_fields(list(reader.schema))
            names = [field.name for field in fields]
            if any(readable_type(field.type) is None for field in fields) or len(set(names)) < len(names):
                return None
            batch = next(_checked(reader), None)
    except DataError:
        return None
    if batch is None:
        return Preview(names, [])
    columns = flatten_columns(batch.slice(0, _PREVIEW_ROWS)).values()
    texts = [cells_as_text(convert(column, readable_type(column.type)).values) for column in columns]
    return Preview(names, [list(row) for row in zip(*texts, strict=True)])


@contextmanager
def _open(file: SpanFile, tally: FileTally | None = None) -> Iterator[tuple[Any, _Content]]:
    """Open a file's stream of batches, and translate pyarrow's errors while it is read."""
    with file.open() as opened:
        content = _Content(file, opened, tally or FileTally())
        try:
            yield pa.ipc.open_stream(io.BufferedReader(content, _READ_BYTES)), content
        except (OSError, ValueError, RuntimeError, MemoryError) as error:  # pyarrow's own errors are kinds of these
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk or the network
            raise _damaged(file, str(error).partition("\n")[0]) from None


def _checked(reader: Any) -> Iterator[pa.RecordBatch]:
    """Yield the batches, each checked as a whole: pyarrow reads offsets as they are, and a damaged one would end the process."""
    for batch in reader:
        batch.validate(full=True)
        yield batch


class _Content(io.RawIOBase):
    """The stream in a file, tallied as it is read; the end of the file is checked by `finish`."""

    def __init__(self, file: SpanFile, opened: BinaryIO, tally: FileTally) -> None:
        super().__init__()
        self._file, self._opened, self._tally = file, opened, tally
        self._last = b""
        start = opened.read(len(FILE_START))
        self._check_start(start)
        self._end = _END_OF_FILE if start == FILE_START else _END_OF_STREAM
        self._waiting = b"" if start == FILE_START else start
        tally.watch(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._waiting or self._next(len(buffer))
        self._waiting = part[len(buffer) :]
        part = part[: len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def finish(self) -> None:
        """Read what follows the last batch, and check that the file ends as its format does.

        Raises:
            DataError: When it was cut off: a stream without its end looks like one with fewer batches.
        """
        while self._next(_READ_BYTES):
            pass
        if not self._last.endswith(self._end):
            raise _damaged(self._file, "its end is missing: it was cut off")

    def _next(self, count: int) -> bytes:
        part = self._opened.read(count)
        self._tally.watch(part)
        self._last = (self._last + part)[-len(self._end) :]
        return part

    def _check_start(self, start: bytes) -> None:
        if not start:
            raise DataError("is empty", where=self._file.name, remedy="remove the file or write it again")
        if start.startswith(b"FEA1"):
            remedy = "write it in version 2: pyarrow.feather.write_feather(table, path)"
            raise DataError("is a Feather file of version 1", where=self._file.name, remedy=remedy)
        if start != FILE_START and not start.startswith(STREAM_START):
            remedy = "set data.format to its format, or leave it out to recognise it by the content"
            raise DataError("is not an Arrow IPC file", where=self._file.name, remedy=remedy)


def _damaged(file: SpanFile, message: str) -> DataError:
    return DataError(f"cannot be read as Arrow IPC: {message}", where=file.name, remedy="write the file again")
