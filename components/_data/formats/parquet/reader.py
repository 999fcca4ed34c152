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

import numpy as np
import pyarrow as pa

from components._core.errors import DataError
from components._core.examples.artifact import BATCH_ROWS
from components._core.examples.safe_parquet import pq
from components._core.store.filesystems import is_local
from components._data.columns.numbers import FLOAT32_MAX
from components._data.formats.bad_rows import BadRow
from components._data.formats.column_readings import apply_readings
from components._data.formats.contract import Preview, TableSchema
from components._data.formats.parquet.column_types import convert, readable_type
from components._data.formats.rows import (
    FileTally,
    Rows,
    as_examples,
    cells_as_text,
    row_as_text,
    set_unlabelled_aside,
)
from components._data.sources.contract import SpanFile

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_READ_BYTES = 1 << 20
_BATCH_CELLS = 1 << 20
"""Maximum number of cells in a batch: fewer rows of a wide table are read at a time."""
_PREVIEW_ROWS = 2_000


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
            yield pq.ParquetFile(opened, buffer_size=_READ_BYTES, pre_buffer=False)
        except (OSError, ValueError, RuntimeError) as error:  # pyarrow's own errors are kinds of these
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk or the network
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
    with _content(file, tally or FileTally()) as stream, open_parquet(file, stream) as opened:
        first = 1
        for batch in opened.iter_batches(batch_size=batch_rows(len(schema.types)), use_threads=False):
            rows = apply_readings(_to_rows(batch, schema, cells, first), schema, file, reject, tally, "row")
            first += batch.num_rows
            rows = _set_too_large_aside(rows, file, reject)
            yield set_unlabelled_aside(
                Rows(as_examples(rows.examples), rows.cells, rows.lines), file, label, reject, "row"
            )


def batch_rows(columns: int) -> int:
    """Return the number of rows read at a time."""
    return min(max(_BATCH_CELLS // max(columns, 1), 1_024), BATCH_ROWS)


def preview_file(file: SpanFile) -> Preview | None:
    """Read the first rows of a file as text; None when it cannot be read."""
    try:
        with open_parquet(file) as opened:
            names = [field.name for field in opened.schema_arrow if readable_type(field.type) is not None]
            if len(names) < len(opened.schema_arrow.names) or len(set(names)) < len(names):
                return None
            batch = next(opened.iter_batches(batch_size=_PREVIEW_ROWS, use_threads=False), None)
    except DataError:
        return None
    if batch is None:
        return Preview(names, [])
    columns = [cells_as_text(convert(column, readable_type(column.type))) for column in batch.columns]
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


def _damaged(file: SpanFile, message: str) -> DataError:
    return DataError(f"cannot be read as Parquet: {message}", where=file.name, remedy="write the file again")


def _to_rows(batch: pa.RecordBatch, schema: TableSchema, cells: Collection[str], first: int) -> Rows:
    """Convert a batch to the table's types; columns stay in the file's order."""
    columns = {
        name: convert(batch.column(batch.schema.get_field_index(name)), kind)
        for name, kind in schema.cell_types.items()
    }
    raw = {name: columns[name] for name in cells} or {"": pa.nulls(batch.num_rows)}
    return Rows(
        pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)),
        pa.RecordBatch.from_arrays(list(raw.values()), names=list(raw)),
        lambda: np.arange(first, first + batch.num_rows, dtype=np.int64),
    )


def _set_too_large_aside(rows: Rows, file: SpanFile, reject: Callable[[BadRow], None]) -> Rows:
    """Keep the rows whose real numbers are all finite and fit a float32; reject the others."""
    bad = np.zeros(rows.examples.num_rows, dtype=bool)
    for name, column in zip(rows.examples.schema.names, rows.examples.columns, strict=True):
        if not pa.types.is_floating(column.type):
            continue
        numbers = np.abs(column.fill_null(0).to_numpy(zero_copy_only=False))
        for row in map(int, np.flatnonzero((numbers > FLOAT32_MAX) & ~bad)):
            found = column[row].as_py()
            message = f"column {name!r}: {found!r} is infinite or too large (|x| <= {FLOAT32_MAX:.3g} is allowed)"
            reject(BadRow(file.name, int(rows.lines()[row]), message, row_as_text(rows.examples, row), unit="row"))
        bad |= numbers > FLOAT32_MAX
    return rows.filter(~bad) if bad.any() else rows
