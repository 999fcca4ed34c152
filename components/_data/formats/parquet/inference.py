"""The common schema of a table's Parquet files, from their footers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from components._data.formats.common_types import CommonTypes
from components._data.formats.contract import TableSchema
from components._data.formats.file_notes import FileNotes, dump_fields, load_fields
from components._data.formats.parquet.reader import open_parquet
from components._data.formats.typed_columns import may_exceed_int64
from components._data.sources.contract import SpanFile

_LARGEST_INT64 = (1 << 63) - 1


def infer_schema(
    files: Sequence[SpanFile], label: str, excluded: Sequence[str] = (), notes: FileNotes | None = None
) -> TableSchema:
    """Infer the columns and types of all files; see `CommonTypes`.

    A column of whole numbers beyond int64 (hashes as uint64, identifiers as decimals) is text: no digit is lost.

    Args:
        files: Files in the order of their spans.
        label: The label's column.
        excluded: Columns of `data.exclude`.
        notes: What is known of the files already.

    Raises:
        DataError: When a file is not Parquet, its columns differ from the first file's, or their types cannot be read.
    """
    types, beyond = CommonTypes(label, excluded), set()
    notes = notes or FileNotes()
    for file in files:
        found = notes.recall(file, "fields", None, partial(_read_footer, file), _dump, _load)
        beyond |= found.beyond
        types.add(file, found.fields)
    schema = types.schema()
    return TableSchema({name: pa.string() if name in beyond else kind for name, kind in schema.types.items()})


class _Footer(NamedTuple):
    """What inference needs of a file: its columns, and those with whole numbers beyond int64."""

    fields: list[pa.Field]
    beyond: set[str]


def _read_footer(file: SpanFile) -> _Footer:
    with open_parquet(file) as opened:
        fields = list(opened.schema_arrow)
        return _Footer(fields, {field.name for field in fields if _exceeds_int64(opened, field)})


def _dump(found: _Footer) -> list[Any]:
    return [dump_fields(found.fields), sorted(found.beyond)]


def _load(raw: list[Any]) -> _Footer:
    return _Footer(load_fields(raw[0]), set(raw[1]))


def _exceeds_int64(opened: Any, field: pa.Field) -> bool:
    """Return whether a column has whole numbers beyond int64: by the footer's statistics, else by its values."""
    if not may_exceed_int64(field.type):
        return False
    footer = opened.metadata
    place = next((n for n in range(footer.num_columns) if footer.schema.column(n).path == field.name), None)
    if place is None:
        return False
    found = [footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups)]
    if pa.types.is_uint64(field.type) and all(known is not None and known.has_min_max for known in found):
        return any(known.max > _LARGEST_INT64 for known in found)
    return any(
        (largest := pc.max(_magnitude(batch.column(0))).as_py()) is not None and largest > _LARGEST_INT64
        for batch in opened.iter_batches(columns=[field.name], use_threads=False)
    )


def _magnitude(column: pa.Array) -> pa.Array:
    return column if pa.types.is_uint64(column.type) else pc.abs(column)
