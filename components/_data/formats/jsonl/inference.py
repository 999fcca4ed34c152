"""Inference over JSON lines: every file is read once to find the columns, and the types that hold for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby

import pyarrow as pa

from components._core.errors import DataError
from components._core.types.json_values import LineError
from components._data.formats.columns import check_columns
from components._data.formats.contract import TableSchema
from components._data.formats.file_notes import FileNotes, dump_fields, load_fields
from components._data.formats.jsonl.blocks import Block, read_blocks
from components._data.formats.jsonl.fast_parser import parse_block
from components._data.formats.jsonl.lines import (
    column_kind,
    merge_fields,
    parse_line,
    type_of,
    widen_fields,
)
from components._data.formats.typed_columns import flatten_fields, readable_type
from components._data.sources.contract import SpanFile


def infer_schema(files: Sequence[SpanFile], label: str, notes: FileNotes | None = None) -> TableSchema:
    """Infer the columns and types of all files.

    A row may lack a column; a span may not: its columns are those of all its rows. A column of texts and other values,
    or of lists, is text: the JSON of each value that is not a text. A column of whole and real numbers is real.

    Args:
        files: Files in the order of their spans.
        label: The label's column.
        notes: What is known of the files already.

    Raises:
        DataError: When a file is not JSON lines, or a span has other columns than the first one.
    """
    fields: list[pa.Field] = []
    names: list[str] = []
    notes = notes or FileNotes()
    for _, of_span in groupby(files, key=lambda file: file.span):
        group = list(of_span)
        found: list[pa.Field] = []
        for file in group:
            texts = _texts([*fields, *found])
            find = partial(_infer_file, file, texts)
            known = dump_fields(texts)
            found = merge_fields(found, notes.recall(file, "fields", known, find, dump_fields, load_fields))
        if not found:
            raise DataError(
                "has no JSON object", where=group[0].name, remedy="write one object a line; check the export"
            )
        flat = [field.name for field in flatten_fields(found)]
        check_columns(group[0].name, flat, names, label, files[0].name)
        fields, names = widen_fields(fields, found), names or flat
    nested = pa.schema([pa.field(field.name, column_kind(field.type)) for field in fields])
    types = {field.name: readable_type(field.type) for field in flatten_fields(list(nested))}
    return TableSchema(
        {name: pa.string() if kind is None or pa.types.is_null(kind) else kind for name, kind in types.items()},
        nested=nested,
    )


def column_names(file: SpanFile) -> list[str]:
    """Return the columns of a file's first block.

    Raises:
        DataError: When the file is not JSON lines.
    """
    block = next(read_blocks(file, lambda part: None))
    return [field.name for field in flatten_fields(_infer_block(block, []))]


def _infer_file(file: SpanFile, known: list[pa.Field]) -> list[pa.Field]:
    found: list[pa.Field] = []
    for block in read_blocks(file, lambda part: None):
        found = merge_fields(found, _infer_block(block, [*known, *found]))
    return found


def _infer_block(block: Block, known: list[pa.Field]) -> list[pa.Field]:
    """Infer the columns of a block. Known texts stay texts, so that Arrow does not look for times in them."""
    batch = parse_block(block, _texts(known), infer=True)
    if batch is not None:
        there = [
            field for field, column in zip(batch.schema, batch.columns, strict=True) if _occurs(field, column, block)
        ]
        return [pa.field(field.name, _without_times(field.type)) for field in there]
    fields: list[pa.Field] = []
    for _, line in block.lines():
        try:
            row = parse_line(line)
        except LineError:  # the row is set aside when it is read
            continue
        fields = _merge_row(fields, row)
    return fields


def _texts(known: list[pa.Field]) -> list[pa.Field]:
    return list({field.name: field for field in known if pa.types.is_string(field.type)}.values())


def _occurs(field: pa.Field, column: pa.Array, block: Block) -> bool:
    """Return whether a key occurs in the block; a column that was only expected is there, too, without a value."""
    return column.null_count < len(column) or f'"{field.name}"'.encode() in block.data


def _merge_row(fields: list[pa.Field], row: dict[str, object]) -> list[pa.Field]:
    by_name = {field.name: field.type for field in fields}
    is_known = all(by_name.get(name) == type_of(value) for name, value in row.items() if value is not None)
    if is_known and row.keys() <= by_name.keys():
        return fields
    return merge_fields(fields, [pa.field(name, type_of(value)) for name, value in row.items()])


def _without_times(kind: pa.DataType) -> pa.DataType:
    """Return the type without Arrow's guess of times: JSON has none, and a text is kept as it stands."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, _without_times(part.type)) for part in kind])
    return pa.string() if pa.types.is_timestamp(kind) else kind
