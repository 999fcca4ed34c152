"""The common schema of a table's files whose format declares types: Parquet, Avro and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pyarrow as pa

from components._core.errors import DataError
from components._core.project.data_config import Data
from components._data.formats.column_readings import with_readings
from components._data.formats.columns import check_columns
from components._data.formats.contract import TableSchema
from components._data.formats.file_notes import FileNotes, dump_fields, load_fields
from components._data.formats.typed_columns import ALLOWED, flatten_fields, readable_type
from components._data.sources.contract import SpanFile

_NUMBERS = (pa.int64(), pa.float32(), pa.float64())


class CommonTypes:
    """The columns and types that hold for all files.

    Numbers of different types are real numbers in double precision; texts, times and truth values of different types
    are the texts that a CSV would have; a column without a type in one file takes that of another. Other differences
    are refused: the files declare their types, so a difference is not a single bad cell.
    """

    def __init__(self, label: str, excluded: Sequence[str] = ()) -> None:
        """Begin without a file.

        Args:
            label: The label's column.
            excluded: Columns of `data.exclude`: one of an unsupported type is not read.
        """
        self._label = label
        self._excluded = excluded
        self._types: dict[str, pa.DataType] = {}
        self._origins: dict[str, str] = {}
        self._first = ""

    def add(self, file: SpanFile, fields: Iterable[pa.Field]) -> None:
        """Add the columns of the next file.

        Args:
            file: The file, for messages.
            fields: Its columns.

        Raises:
            DataError: When its columns differ from the first file's, or their types cannot be read.
        """
        flat = flatten_fields(list(fields))
        check_columns(file.name, [field.name for field in flat], list(self._types), self._label, self._first)
        self._first = self._first or file.name
        for field in flat:
            found = self._read_as(file, field)
            known = self._types.get(field.name, pa.null())
            self._types[field.name] = self._common(file, field, known, found)
            if not pa.types.is_null(found):
                self._origins.setdefault(field.name, file.name)

    def schema(self) -> TableSchema:
        """Return the schema of all files; a column without any value is text."""
        known = self._types.items()
        return TableSchema({name: pa.string() if pa.types.is_null(kind) else kind for name, kind in known})

    def _read_as(self, file: SpanFile, field: pa.Field) -> pa.DataType:
        kind = readable_type(field.type)
        if kind is None and field.name in self._excluded and field.name != self._label:
            return pa.null()  # named in the examples, without values
        if kind is None:
            raise DataError(
                f"column {field.name!r} has the type {_shown(field.type)}, which is not supported",
                where=file.name,
                remedy=f"allowed: {ALLOWED}; name the column in data.exclude, or cast it when the file is written",
            )
        return kind

    def _common(self, file: SpanFile, field: pa.Field, known: pa.DataType, found: pa.DataType) -> pa.DataType:
        if known == found or pa.types.is_null(found):
            return known
        if pa.types.is_null(known):
            return found
        if known in _NUMBERS and found in _NUMBERS:
            return pa.float64()
        if _is_word(known) and _is_word(found):
            return pa.string()
        origin = self._origins.get(field.name, "")
        message = f"column {field.name!r} has the type {_shown(field.type)}, which is read as {found}; in {origin} it is read as {known}"
        raise DataError(message, where=file.name, remedy="write the files with one type, or name other spans")


def infer_declared(
    files: Iterable[SpanFile],
    label: str,
    data: Data,
    read_fields: Callable[[SpanFile], Iterable[pa.Field]],
    notes: FileNotes,
) -> TableSchema:
    """Infer the schema of files that declare their columns; see `CommonTypes`.

    Args:
        files: Files in the order of their spans.
        label: The label's column.
        data: The project's `data` section.
        read_fields: Reads the columns of a file.
        notes: What is known of the files already.
    """
    types = CommonTypes(label, data.exclude)
    for file in files:
        find = partial(read_fields, file)
        types.add(file, notes.recall(file, "fields", None, find, dump_fields, load_fields))
    return with_readings(types.schema(), data, label)


def _is_word(kind: pa.DataType) -> bool:
    """Return whether a CSV would have the column as texts."""
    kinds = (pa.types.is_string, pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp)
    return any(is_kind(kind) for is_kind in kinds)


def _shown(kind: pa.DataType) -> str:
    """Shorten the name of a type: a nested one may be as long as a schema."""
    text = str(kind)
    return text if len(text) <= 60 else f"{text[:59]}…"
