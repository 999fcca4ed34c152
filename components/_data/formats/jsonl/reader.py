"""Read the rows of JSON lines: regular blocks with Arrow, others line by line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.types.json_values import LineError
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import TableSchema
from components._data.formats.jsonl.blocks import Block, read_blocks
from components._data.formats.jsonl.fast_parser import parse_block
from components._data.formats.jsonl.lines import parse_line, to_value
from components._data.formats.rows import FileTally, Rows
from components._data.formats.typed_rows import TypedRows
from components._data.sources.contract import SpanFile


def read_rows(
    file: SpanFile,
    schema: TableSchema,
    label: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a file's rows in bounded batches; see `Format.read_rows`. A row's place is its line."""
    tally = tally or FileTally()
    typed = TypedRows(file, schema, label, reject, cells, "line", tally)
    fields = list(schema.nested or pa.schema([pa.field(name, kind) for name, kind in schema.cell_types.items()]))
    for block in read_blocks(file, tally.watch):
        batch = parse_block(block, fields, infer=False)
        if batch is not None:
            yield typed.convert(batch, block.line_numbers)
            continue
        tally.blank += block.blank
        batch, numbers = _parse_lines(block, fields, file, reject)
        yield typed.convert(batch, lambda numbers=numbers: numbers)  # type: ignore[misc]


def _parse_lines(
    block: Block, fields: list[pa.Field], file: SpanFile, reject: Callable[[BadRow], None]
) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
    """Parse a block line by line; a line that is not a row of the table is rejected."""
    rows, numbers = [], []
    for number, line in block.lines():
        try:
            row = parse_line(line)
            rows.append([to_value(row.get(field.name), field.type, field.name) for field in fields])
            numbers.append(number)
        except LineError as error:
            reject(BadRow(file.name, number, str(error), line.decode(errors="replace")))
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[field.name for field in fields]), np.array(numbers, np.int64)
