"""Parse a block with Arrow's reader, where that loses nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from components._data.formats.jsonl.blocks import Block
from components._data.formats.typed_columns import EXACT_IN_DOUBLE, flatten_columns, is_nested


def parse_block(block: Block, fields: Sequence[pa.Field], *, infer: bool) -> pa.RecordBatch | None:
    """Parse the rows of a block.

    Args:
        block: The block.
        fields: Columns whose types are known.
        infer: Whether other columns are inferred, or left out.

    Returns:
        None when it is to be parsed line by line: a line is not an object, a value does not fit its column, a list is
        there (whose JSON is kept), or a number may have lost digits.
    """
    if not block.is_regular:
        return None
    rows = block.data.count(b"\n") + (not block.data.endswith(b"\n"))
    options = json.ParseOptions(
        explicit_schema=pa.schema(list(fields)), unexpected_field_behavior="infer" if infer else "ignore"
    )
    try:
        block.data.decode()  # Arrow's reader takes any bytes
        table = json.read_json(
            pa.BufferReader(block.data),
            read_options=json.ReadOptions(use_threads=False, block_size=len(block.data) + 1),
            parse_options=options,
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    if table.num_rows != rows or not table.num_columns:
        return None
    batch = table.combine_chunks().to_batches()[0]
    return batch if all(map(_is_exact, flatten_columns(batch).values())) else None


def _is_exact(column: pa.Array) -> bool:
    """Return whether the values are those of the text: a whole number beyond 2^53 is rounded where a column is real."""
    if is_nested(column.type) or pa.types.is_dictionary(column.type):
        return False
    if not pa.types.is_floating(column.type):
        return True
    extremes = pc.min_max(column)
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    return most is None or (least > -EXACT_IN_DOUBLE and most < EXACT_IN_DOUBLE)
