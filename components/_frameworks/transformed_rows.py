"""Transformed rows on disk and in memory: Parquet files that are streamed in windows, so memory does not grow with rows.

transformed/
    train.parquet    a column per transformed feature, then the label
    eval.parquet

A feature is a column of float32 or int64, or of fixed-size lists of them (vectors), or of texts. One of more dimensions, such as a
decoded picture, is a column of fixed-size binary values: the numbers of a row as they are in memory, with their type and shape in
the field's metadata. Lists would be decoded number by number, of which a picture has 150,000.

Files are written and read in pieces that are bounded in rows and in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.safe_parquet import pq
from components._core.types.feature_types import FLOAT32, INT64, STRING

LABEL = "label"
"""Name of the last column, the label, unless a feature has it: then underscores are appended. Readers go by its place."""
SPLITS = ("train", "eval")
"""The splits that are transformed: test rows go to the exported model as they are."""
GROUP_ROWS = 65_536
"""Most rows per row group: the piece in which files are written and read."""
GROUP_BYTES = 4 << 20
"""Bytes per row group of rows with pictures; at least one row. Small, so that a window has rows from many places of the file."""
WINDOW_GROUPS = 8
"""Full row groups in memory at a time while fitting; rows are shuffled within such a window, and windows are drawn at random."""
WINDOW_BYTES = 256 << 20
"""Most bytes of pictures in such a window."""
CALL_ROWS = 16_384
"""Rows per call when rows are judged; a model holds what its layers make of all of them at once."""
CALL_PICTURES = 256
"""The same of rows with pictures."""
UINT8 = "uint8"
"""Name of the type of what only features of several dimensions have: pictures whose numbers the model scales itself."""

_DTYPE, _SHAPE = b"naru.dtype", b"naru.shape"
"""Metadata of the field of a feature of several dimensions."""

Batch = tuple[dict[str, NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Column:
    """One transformed feature.

    Attributes:
        name: Its name.
        dtype: `int64`, `float32` or `string`; of several dimensions also `uint8`.
        shape: Per row: `()` for a scalar, `(k,)` for a vector, `(height, width, channels)` for a picture.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def is_real(self) -> bool:
        """Whether the values are real numbers."""
        return self.dtype == FLOAT32.name

    @property
    def is_text(self) -> bool:
        """Whether the values are texts."""
        return self.dtype == STRING.name

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers."""
        return not self.is_real and not self.is_text

    @property
    def picture_bytes(self) -> int:
        """Bytes of one row of a feature of several dimensions; 0 of any other."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize if len(self.shape) > 1 else 0


def transformed_file(transformed: Path, split: str) -> Path:
    """Where the transformed rows of a split are."""
    return transformed / f"{split}.parquet"


class TransformedRows:
    """The rows of one file.

    Args:
        path: The file.
        every: Distance between the rows that are taken, from the first one on; 1: all rows.

    Attributes:
        columns: The features, in the order of the file.
        label_dtype: `int64` (class indices) or `float32`.
        rows: How many there are.
    """

    def __init__(self, path: Path, every: int = 1) -> None:
        self._path, self._every = path, every
        with pq.ParquetFile(path) as file:
            *features, label = file.schema_arrow
            self.columns = tuple(map(_column, features))
            self._label = label.name
            self.label_dtype = _dtype(label.type)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        self.rows: int = sum(-(-size // every) for size in sizes)
        self._groups: int = len(sizes)
        self._window_groups = _window_groups(self.columns, max(sizes, default=0))
        self._whole: tuple[Batch, ...] = ()

    @property
    def call_rows(self) -> int:
        """Rows per call of a model that judges them."""
        most = group_rows(self.columns)
        return CALL_ROWS if most == GROUP_ROWS else min(most, CALL_PICTURES)

    def thin(self, most: int) -> TransformedRows:
        """Return the same rows, or of more than `most` about that many, drawn evenly."""
        step = self._every * -(-self.rows // most)
        return self if step == self._every else TransformedRows(self._path, step)

    def take(self, places: NDArray[np.int64]) -> TransformedRows:
        """Return some of the rows, which are read into memory.

        Args:
            places: Their places, [rows].
        """
        return _TakenRows(self, places)

    def batches(self, size: int, order: np.random.Generator | None = None) -> Iterator[Batch]:
        """Yield features by name and labels, `size` rows at a time.

        Args:
            size: Rows per batch; the last one of a window may have fewer.
            order: Shuffles the rows; without it they come as they stand.
        """
        for features, labels in self._windows(order):
            rows = len(labels)
            taken = None if order is None else order.permutation(rows)
            for start in range(0, rows, size):
                part: Any = slice(start, start + size)
                if taken is not None:
                    part = taken[part]
                yield {name: values[part] for name, values in features.items()}, labels[part]
            del features, labels  # before the next window is read

    def count_labels(self, classes: int) -> NDArray[np.int64]:
        """Count the rows of each class by its index, shape [classes]; only labels are read."""
        counts = np.zeros(classes, np.int64)
        with pq.ParquetFile(self._path) as file:
            for group in range(file.num_row_groups):
                labels = file.read_row_group(group, columns=[self._label])[self._label].to_numpy()[:: self._every]
                counts += np.bincount(labels.astype(np.int64), minlength=classes)
        return counts

    def head(self, rows: int) -> Batch:
        """The first rows; fewer when there are fewer."""
        return next(self.batches(rows))

    def _windows(self, order: np.random.Generator | None) -> Iterator[Batch]:
        if self._groups <= self._window_groups:  # all of it fits: read once, kept for the next epoch
            self._whole = self._whole or (self._read(list(range(self._groups))),)
            yield self._whole[0]
            return
        groups = np.arange(self._groups) if order is None else order.permutation(self._groups)
        for start in range(0, self._groups, self._window_groups):
            yield self._read([int(group) for group in groups[start : start + self._window_groups]])

    def _read(self, groups: list[int]) -> Batch:
        with pq.ParquetFile(self._path) as file:
            if self._every > 1 and groups:  # within each group, so that rows do not depend on what is read together
                parts = [file.read_row_group(group) for group in groups]
                table = pa.concat_tables([part.take(np.arange(0, part.num_rows, self._every)) for part in parts])
            else:
                table = file.read_row_groups(groups) if groups else file.read()
        return {column.name: _values(table[column.name], column) for column in self.columns}, table[
            self._label
        ].to_numpy()


class _TakenRows(TransformedRows):
    """Some rows of others, in memory."""

    def __init__(self, whole: TransformedRows, places: NDArray[np.int64]) -> None:
        self.columns, self.label_dtype, self.rows = whole.columns, whole.label_dtype, len(places)
        read = list(whole.batches(max(whole.rows, 1)))
        features = {name: np.concatenate([batch[name] for batch, _ in read])[places] for name in read[0][0]}
        self._groups = self._window_groups = 1
        self._whole = ((features, np.concatenate([labels for _, labels in read])[places]),)

    def thin(self, most: int) -> TransformedRows:
        """See the base class."""
        step = -(-self.rows // most)
        return self if step == 1 else _TakenRows(self, np.arange(0, self.rows, step))

    def count_labels(self, classes: int) -> NDArray[np.int64]:
        """See the base class."""
        return np.bincount(self._whole[0][1].astype(np.int64), minlength=classes)


class TransformedWriter:
    """Writes transformed batches as row groups of one file; use it as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._group_rows = GROUP_ROWS

    def write(self, features: dict[str, NDArray[Any]], labels: NDArray[Any]) -> None:
        """Append a batch: arrays of shape [rows, ...], int64 or float32 (of several dimensions also uint8), or [rows] of `str`."""
        columns = {name: _to_arrow(values) for name, values in features.items()}
        fields = [_field(name, columns[name].type, values) for name, values in features.items()]
        label = _free_name(features)
        columns[label] = pa.array(labels)
        fields.append(pa.field(label, columns[label].type))
        self._waiting.append(pa.table(list(columns.values()), pa.schema(fields)))
        self._group_rows = group_rows(map(_column, fields))
        if sum(table.num_rows for table in self._waiting) >= self._group_rows:
            self._flush()

    def _flush(self) -> None:
        """Write whole row groups, however small the batches were that came in."""
        table = pa.concat_tables(self._waiting)
        if self._writer is None:
            # whole numbers (indices) and texts repeat, real numbers hardly do: a dictionary only costs time there
            flat = [field for field in table.schema if not _is_picture(field)]
            repeated = [field.name for field in flat if _dtype(field.type) != FLOAT32.name]
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                use_dictionary=repeated,
                compression="zstd",
                write_statistics=[field.name for field in flat],  # of a picture: its bytes again, twice
            )
        self._writer.write_table(table, row_group_size=self._group_rows)
        self._waiting = []

    def __enter__(self) -> TransformedWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self._flush()
        if self._writer is not None:
            self._writer.close()


def _free_name(features: Iterable[str]) -> str:
    """The label's name, which is not a feature's."""
    taken, name = set(features), LABEL
    while name in taken:
        name += "_"
    return name


def group_rows(columns: Iterable[Column]) -> int:
    """Return the most rows of a piece in which rows with such columns are made, written and read."""
    size = sum(column.picture_bytes for column in columns)
    return GROUP_ROWS if size == 0 else min(GROUP_ROWS, max(1, GROUP_BYTES // size))


def _window_groups(columns: Iterable[Column], rows: int) -> int:
    """Return how many row groups of so many rows are in memory at a time."""
    size = rows * sum(column.picture_bytes for column in columns)
    return WINDOW_GROUPS if size == 0 else max(1, WINDOW_BYTES // size)


def _to_arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1:
        # the type of an empty array of texts cannot be inferred
        return pa.array(values, STRING.arrow if values.dtype == STRING.numpy else None)
    flat = np.ascontiguousarray(values).reshape(-1)
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])
    row = math.prod(values.shape[1:]) * values.dtype.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(row), len(values), [None, pa.py_buffer(flat)])


def _field(name: str, kind: pa.DataType, values: NDArray[Any]) -> pa.Field:
    if values.ndim <= 2:
        return pa.field(name, kind)
    shape = ",".join(map(str, values.shape[1:]))
    return pa.field(name, kind, metadata={_DTYPE: values.dtype.name.encode(), _SHAPE: shape.encode()})


def _is_picture(field: pa.Field) -> bool:
    return bool(pa.types.is_fixed_size_binary(field.type))


def _column(field: pa.Field) -> Column:
    if _is_picture(field):
        shape = tuple(map(int, field.metadata[_SHAPE].split(b",")))
        return Column(field.name, field.metadata[_DTYPE].decode(), shape)
    if pa.types.is_fixed_size_list(field.type):
        return Column(field.name, _dtype(field.type.value_type), (field.type.list_size,))
    return Column(field.name, _dtype(field.type), ())


def _dtype(kind: pa.DataType) -> str:
    if pa.types.is_string(kind):
        return STRING.name
    return (INT64 if pa.types.is_integer(kind) else FLOAT32).name


def _values(column: pa.ChunkedArray, spec: Column) -> NDArray[Any]:
    if not spec.shape:
        return np.asarray(column.to_numpy())
    if spec.picture_bytes:
        return np.concatenate([_pictures(chunk, spec) for chunk in column.chunks])
    flat: NDArray[Any] = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    return flat.reshape(-1, *spec.shape)


def _pictures(chunk: pa.FixedSizeBinaryArray, spec: Column) -> NDArray[Any]:
    size = spec.picture_bytes
    found = np.frombuffer(
        chunk.buffers()[1], np.dtype(spec.dtype), len(chunk) * math.prod(spec.shape), chunk.offset * size
    )
    return found.reshape(-1, *spec.shape)
