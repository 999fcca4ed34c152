"""Parse a block with Arrow's reader, where that loses nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from components._core.types.json_lines import is_exact, read_block
from components._data.formats.jsonl.blocks import Block
from components._data.formats.typed_columns import flatten_columns, is_nested


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
    table = read_block(block.data, fields, "infer" if infer else "ignore")
    if table is None or table.num_rows != rows or not table.num_columns:
        return None
    batch = table.combine_chunks().to_batches()[0]
    return batch if all(map(_has_exact_values, flatten_columns(batch).values())) else None


def _has_exact_values(column: pa.Array) -> bool:
    if is_nested(column.type) or pa.types.is_dictionary(column.type):
        return False
    if not pa.types.is_floating(column.type):
        return True
    return is_exact(column)
