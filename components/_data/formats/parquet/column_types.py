"""The mapping of Parquet columns to types of examples, and the conversion of values.

The result is the same as from CSV: truth values, dates and times are texts. `convert` supports exactly the types that
`readable_type` allows.
"""

from __future__ import annotations

import pyarrow as pa

from components._core.types.column_types import time_as_text

_WHOLE = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())

ALLOWED = "whole numbers up to int64, float, double, string, bool, date, time, timestamp, and dictionaries of these"


def readable_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type that a Parquet column is read as: `int64`, `float64`, `string`, or `null` without any value.

    Args:
        kind: Arrow's type of the column.

    Returns:
        None when the type is not supported.
    """
    if pa.types.is_dictionary(kind):
        return readable_type(kind.value_type)
    if pa.types.is_null(kind):
        return kind
    if kind in _WHOLE:
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return pa.string()
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    return None


def convert(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert a column to the type that it is read as: texts as in CSV, NaN as missing.

    Args:
        column: A Parquet column of a type that `readable_type` allows.
        kind: `int64`, `float64` or `string`.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return time_as_text(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column.validate(full=True)  # a writer may have declared non-UTF-8 bytes as text
    if not pa.types.is_floating(column.type):
        return column.cast(kind)
    reals = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    return pa.array(reals.cast(pa.float64()).to_numpy(zero_copy_only=False), from_pandas=True)
