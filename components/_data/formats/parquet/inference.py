"""The common schema of a table's Parquet files, from their footers."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from components._core.errors import DataError
from components._data.formats.columns import check_columns
from components._data.formats.contract import TableSchema
from components._data.formats.parquet.column_types import ALLOWED, readable_type
from components._data.formats.parquet.reader import open_parquet
from components._data.sources.contract import SpanFile

_NUMBERS = (pa.int64(), pa.float32(), pa.float64())


def infer_schema(files: Sequence[SpanFile], label: str) -> TableSchema:
    """Infer the columns and types of all files.

    Numbers of different types are real numbers in double precision; texts, times and truth values of different types
    are the texts that a CSV would have; a column without a type in one file takes that of another. Other differences
    are refused: Parquet declares its types, so a difference is not a single bad cell.

    Args:
        files: Files in the order of their spans.
        label: The label's column.

    Raises:
        DataError: When a file is not Parquet, its columns differ from the first file's, or their types cannot be read.
    """
    types: dict[str, pa.DataType] = {}
    origins: dict[str, str] = {}
    for file in files:
        with open_parquet(file) as opened:
            schema = opened.schema_arrow
        check_columns(file.name, schema.names, list(types), label)
        for field in schema:
            found = _read_as(file, field)
            known = types.get(field.name, pa.null())
            types[field.name] = _common_type(file, field, known, found, origins.get(field.name, ""))
            if not pa.types.is_null(found):
                origins.setdefault(field.name, file.name)
    return TableSchema({name: pa.string() if pa.types.is_null(kind) else kind for name, kind in types.items()})


def _is_word(kind: pa.DataType) -> bool:
    """Return whether a CSV would have the column as texts."""
    kinds = (pa.types.is_string, pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp)
    return any(is_kind(kind) for is_kind in kinds)


def _read_as(file: SpanFile, field: pa.Field) -> pa.DataType:
    kind = readable_type(field.type)
    if kind is None:
        raise DataError(
            f"column {field.name!r} has the type {_shown(field.type)}, which is not supported",
            where=file.name,
            remedy=f"allowed: {ALLOWED}; cast the column or leave it out when the file is written",
        )
    return kind


def _shown(kind: pa.DataType) -> str:
    """Shorten the name of a type: a nested one may be as long as a schema."""
    text = str(kind)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _common_type(file: SpanFile, field: pa.Field, known: pa.DataType, found: pa.DataType, origin: str) -> pa.DataType:
    if known == found or pa.types.is_null(found):
        return known
    if pa.types.is_null(known):
        return found
    if known in _NUMBERS and found in _NUMBERS:
        return pa.float64()
    if _is_word(known) and _is_word(found):
        return pa.string()
    message = f"column {field.name!r} has the type {_shown(field.type)}, which is read as {found}; in {origin} it is read as {known}"
    raise DataError(message, where=file.name, remedy="write the files with one type, or name other spans")
