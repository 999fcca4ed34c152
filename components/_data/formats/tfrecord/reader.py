"""Inference over tf.Examples, and their rows: decoded by tfx_bsl in batches.

A feature with at most one value in each record is a column of that value, bytes in UTF-8 as text; a feature with more
values in some record is the text of their JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components._core.errors import DataError
from components._data.formats.bad_rows import BadRow
from components._data.formats.columns import check_columns
from components._data.formats.contract import TableSchema
from components._data.formats.file_notes import FileNotes
from components._data.formats.rows import FileTally, Rows
from components._data.formats.tfrecord.records import read_records
from components._data.formats.typed_columns import as_json
from components._data.formats.typed_rows import TypedRows, batch_rows
from components._data.sources.contract import SpanFile

_MOST_ROWS = 8_192
_TYPES = {pa.int64(): schema_pb2.INT, pa.float32(): schema_pb2.FLOAT}
"""Types of features; any other is bytes."""


def infer_schema(files: Sequence[SpanFile], label: str, notes: FileNotes | None = None) -> TableSchema:
    """Infer the columns and types of all files, whose features must have one type.

    Raises:
        DataError: When a file is damaged, a feature has several types, or a span has other features than the first one.
    """
    seen, notes = _Features(), notes or FileNotes()
    first: list[str] = []
    for _, of_span in groupby(files, key=lambda file: file.span):
        names: set[str] = set()
        group = list(of_span)
        for file in group:
            find = partial(_Features.read, file)
            names |= seen.merge(
                file, notes.recall(file, "features", None, find, _Features.to_json, _Features.from_json)
            )
        check_columns(group[0].name, sorted(names), first, label, files[0].name)
        first = first or sorted(names)
    lists = {name: pa.list_(kind) for name, kind in sorted(seen.types.items())}
    return TableSchema({name: seen.column_type(name) for name in lists}, nested=pa.schema(list(lists.items())))


class _Features:
    """What was seen of each feature."""

    def __init__(self) -> None:
        self.types: dict[str, pa.DataType] = {}
        self._origins: dict[str, str] = {}
        self._many: set[str] = set()
        self._bytes: set[str] = set()

    @classmethod
    def read(cls, file: SpanFile) -> _Features:
        """Read one file."""
        found = cls()
        for records in read_records(file, lambda part: None, _MOST_ROWS):
            found.add(file, records)
        return found

    def to_json(self) -> list[Any]:
        types = {name: str(kind) for name, kind in self.types.items()}
        return [types, sorted(self._many), sorted(self._bytes)]

    @classmethod
    def from_json(cls, raw: list[Any]) -> _Features:
        found = cls()
        found.types = {name: pa.type_for_alias(kind) for name, kind in raw[0].items()}
        found._many, found._bytes = set(raw[1]), set(raw[2])
        return found

    def merge(self, file: SpanFile, other: _Features) -> set[str]:
        """Add what was seen in another file; returns the features in it."""
        for name, kind in other.types.items():
            if pa.types.is_null(kind):
                self.types.setdefault(name, kind)
            else:
                self._check_type(file, name, kind)
        self._many |= other._many
        self._bytes |= other._bytes
        return set(other.types)

    def add(self, file: SpanFile, records: list[bytes]) -> set[str]:
        """Add some records; returns the features in them. Records that are not tf.Example are left to the reader."""
        batch, _ = _decode(ExamplesToRecordBatchDecoder(), records)
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if pa.types.is_null(field.type):
                self.types.setdefault(field.name, pa.null())
                continue
            self._check_type(file, field.name, field.type.value_type)
            lengths = pc.max(pc.list_value_length(column)).as_py() or 0
            self._many |= {field.name} if lengths > 1 else set()
            if field.type.value_type not in (pa.int64(), pa.float32()) and not _is_text(column.flatten()):
                self._bytes.add(field.name)
        return set(batch.schema.names)

    def _check_type(self, file: SpanFile, name: str, kind: pa.DataType) -> None:
        known = self.types.get(name, pa.null())
        if not pa.types.is_null(known) and known != kind:
            message = f"feature {name!r} is {kind}; in {self._origins[name]} it is {known}"
            raise DataError(message, where=file.name, remedy="write the feature with one type in all records")
        if pa.types.is_null(known):
            self.types[name] = kind
            self._origins[name] = file.name

    def column_type(self, name: str) -> pa.DataType:
        kind = self.types[name]
        if pa.types.is_null(kind) or name in self._many:
            return pa.string()
        if kind in (pa.int64(), pa.float32()):
            return kind
        return pa.binary() if name in self._bytes else pa.string()


def column_names(file: SpanFile) -> list[str]:
    """Return the features of a file's first records.

    Raises:
        DataError: When it is damaged.
    """
    return sorted(_Features().add(file, next(read_records(file, lambda part: None, _MOST_ROWS))))


def read_rows(
    file: SpanFile,
    schema: TableSchema,
    label: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a file's rows in bounded batches; see `Format.read_rows`. A row's place is its record, from 1."""
    typed = TypedRows(file, schema, label, reject, cells, tally=tally)
    nested = schema.nested or pa.schema([])
    decoder = ExamplesToRecordBatchDecoder(_decoder_schema(nested))
    first = 1
    for records in read_records(file, (tally or FileTally()).watch, min(batch_rows(len(schema.types)), _MOST_ROWS)):
        batch, bad = _decode(decoder, records)
        for place in bad:
            reason = "the record is not a tf.Example with the table's types"
            reject(BadRow(file.name, first + place, reason, records[place][:200].decode(errors="replace"), unit="row"))
        kept = np.delete(np.arange(first, first + len(records), dtype=np.int64), bad)
        if not len(kept):
            first += len(records)
            continue
        columns = {
            name: _as_column(batch.column(batch.schema.get_field_index(name)), kind)
            for name, kind in schema.cell_types.items()
            if name in batch.schema.names
        }
        flat = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        yield typed.convert(flat, lambda kept=kept: kept)  # type: ignore[misc]
        first += len(records)


def _decoder_schema(nested: pa.Schema) -> bytes:
    features = [
        schema_pb2.Feature(name=field.name, type=_TYPES.get(field.type.value_type, schema_pb2.BYTES))
        for field in nested
    ]
    serialized: bytes = schema_pb2.Schema(feature=features).SerializeToString()
    return serialized


def _decode(decoder: ExamplesToRecordBatchDecoder, records: list[bytes]) -> tuple[pa.RecordBatch, list[int]]:
    """Decode records; also return the places of those that cannot be decoded."""
    try:
        return decoder.DecodeBatch(records), []
    except RuntimeError:  # it does not say which one
        bad = _find_bad(decoder, records, 0)
    skipped = set(bad)
    good = [record for place, record in enumerate(records) if place not in skipped]
    return decoder.DecodeBatch(good) if good else pa.RecordBatch.from_arrays([], names=[]), bad


def _find_bad(decoder: ExamplesToRecordBatchDecoder, records: list[bytes], first: int) -> list[int]:
    """Find the records that cannot be decoded by halving; places count from `first`."""
    try:
        decoder.DecodeBatch(records)
    except RuntimeError:
        if len(records) == 1:
            return [first]
        half = len(records) // 2
        return _find_bad(decoder, records[:half], first) + _find_bad(decoder, records[half:], first + half)
    return []


def _as_column(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return the only value of each record, or the JSON of all values of a column that has several."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), kind)
    if pa.types.is_string(kind) and column.type.value_type in (pa.int64(), pa.float32()):
        return pa.array([as_json(values) if values else None for values in column.to_pylist()], pa.string())
    counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
    if counts.max(initial=0) > 1:
        texts = [
            [value.decode("utf-8", "backslashreplace") for value in values] if values else None
            for values in column.to_pylist()
        ]
        return pa.array([as_json(values) for values in texts], pa.string())
    places = np.cumsum(counts) - 1
    values = column.flatten().take(pa.array(places, mask=counts == 0))
    return values.cast(pa.binary()).cast(kind) if pa.types.is_string(kind) else values


def _is_text(values: pa.Array) -> bool:
    try:
        values.cast(pa.binary()).cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
