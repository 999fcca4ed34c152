"""The mapping of Parquet columns to columns of examples, and the conversion of values.

A value stays what it is: `column_types.py` has the types. Only a time of day, for which there is no such type, is a
text. `convert` supports exactly the types that `readable_type` allows.
"""

from __future__ import annotations

import pyarrow as pa

from components._core.types.column_types import find_type, to_text

ALLOWED = (
    "whole numbers up to int64, float, double, string, bool, date, time, timestamp, binary, and dictionaries of these"
)


def readable_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type that a Parquet column has in examples, or `null` when it has no value.

    Args:
        kind: Arrow's type of the column.

    Returns:
        None when the type is not supported.
    """
    if pa.types.is_dictionary(kind):
        return readable_type(kind.value_type)
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        # a file keeps the instant, and a zone to show it in
        return pa.timestamp(kind.unit, None if kind.tz is None else "UTC")
    if pa.types.is_float16(kind):
        return pa.float32()
    known = None if pa.types.is_uint64(kind) else find_type(kind)  # the largest uint64 fit no int64
    return known.arrow if known else None


def convert(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert a column to its type in examples; NaN becomes missing.

    Args:
        column: A Parquet column of a type that `readable_type` allows.
        kind: That type, or the wider one that holds for several files.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return _without_nan(column).cast(kind)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column.validate(full=True)  # a writer may have declared non-UTF-8 bytes as text
    return to_text(column) if pa.types.is_string(kind) else column.cast(kind)


def _without_nan(column: pa.Array) -> pa.Array:
    reals = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    return pa.array(reals.to_numpy(zero_copy_only=False), from_pandas=True)
