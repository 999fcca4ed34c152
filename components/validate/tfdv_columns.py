"""Columns for TensorFlow Data Validation: lists of values, in which a missing value is a missing list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.examples.artifact import BATCH_ROWS, SPLITS, Manifest, read_batches, split_files
from components._core.examples.safe_parquet import pq
from components._core.types.column_types import BYTES, COLUMN_TYPES, to_feature
from components._core.types.feature_types import FLOAT32
from components._core.types.measured_columns import measured_column
from components.validate.pictures.measured_pictures import DIGEST, find_picture_column

_CELLS = 16_000_000
_FEWEST_ROWS = 1_024


def column_types(examples: Path, exclude: list[str]) -> dict[str, str]:
    """Return the types by column name from the manifest, in the order of the table, without excluded columns."""
    named = Manifest.load(examples).columns
    files = [path for split in SPLITS for path in split_files(examples, split)]
    order = [name for name in pq.read_schema(files[0]).names if name in named] if files else []
    order += [name for name in named if name not in order]
    return {name: named[name] for name in order if name not in exclude}


def batch_rows(columns: int) -> int:
    """Return the rows per batch: fewer for a wide table, so that memory does not grow with its width."""
    return max(_FEWEST_ROWS, min(BATCH_ROWS, _CELLS // max(columns, 1)))


def read_lists(
    examples: Path, split: str, types: dict[str, str], spans: list[int] | None, infinite: dict[str, int]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one split as batches of list columns.

    Args:
        examples: The examples artifact.
        split: The split to read.
        types: Type by name of the columns to read.
        spans: The spans to read; None: all.
        infinite: Counts values by column that are infinite in a model; they become missing, since one of them spoils
            every mean.
    """
    for batch in read_plain(examples, split, types, spans):
        columns = [_finite(name, column, infinite) for name, column in zip(types, batch.columns, strict=True)]
        yield pa.RecordBatch.from_arrays([to_lists(column) for column in columns], names=list(types))


def read_plain(
    examples: Path, split: str, types: dict[str, str], spans: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one split with columns in the plain form of their types.

    In place of pictures come their digests, which are equal where the pictures are: pictures would not fit into memory.

    Args:
        examples: The examples artifact.
        split: The split to read.
        types: Type by name of the columns to read.
        spans: The spans to read; None: all.
    """
    sources = _with_digests(examples, split, types)
    for batch in read_batches(examples, split, list(sources.values()), spans, batch_rows(len(types))):
        columns = [column_of(batch, sources[name], kind) for name, kind in types.items()]
        yield pa.RecordBatch.from_arrays(columns, names=list(types))


def _with_digests(examples: Path, split: str, types: dict[str, str]) -> dict[str, str]:
    """Return the column to read by column: of pictures that of their digests, where ingest measured them."""
    files = split_files(examples, split)
    if BYTES.name not in types.values() or not files:
        return {name: name for name in types}
    columns = {name: types.get(name, "") for name in pq.read_schema(files[0]).names}
    picture = find_picture_column(columns)
    return {name: measured_column(name, DIGEST) if name == picture else name for name in types}


def column_of(batch: pa.RecordBatch, name: str, kind: str) -> pa.Array:
    """Return a column in the plain form of its declared type; all missing when the batch does not have it."""
    place, arrow = batch.schema.get_field_index(name), COLUMN_TYPES[kind].plain
    if place < 0:
        return pa.nulls(batch.num_rows, arrow)
    column = to_feature(batch.column(place), name, COLUMN_TYPES[kind].feature)
    return column if column.type == arrow else column.cast(arrow, safe=False)


def to_lists(column: pa.Array) -> pa.ListArray:
    """Wrap each value into a list of one; the values are shared, not copied, unless some are missing."""
    rows = len(column)
    if column.null_count == 0:
        return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), column)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(~missing)])
    # a null offset makes a null list; the last offset is never null
    offsets = pa.array(ends, type=pa.int32(), mask=np.append(missing, False))
    return pa.ListArray.from_arrays(offsets, pc.drop_null(column))


def _finite(name: str, column: pa.Array, infinite: dict[str, int]) -> pa.Array:
    """Replace NaN and infinity by missing values; infinities, also those only in a model, are counted."""
    if not pa.types.is_floating(column.type):
        return column
    held = column.cast(FLOAT32.arrow, safe=False)
    finite = pc.is_finite(held)
    if pc.all(finite).as_py() is not False:
        return column
    found = int(pc.sum(pc.is_inf(held)).as_py() or 0)
    if found:
        infinite[name] = infinite.get(name, 0) + found
    return pc.if_else(finite, column, pa.scalar(None, column.type))
