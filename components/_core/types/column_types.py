"""The types of the columns of examples: exact, as the source has them, and what each is to a model.

Examples keep a value as it is: truth values, whole numbers with missing ones, real numbers in double precision, times, bytes. A model
takes three types (`feature_types.py`). Between the two a column has a plain form, in which nothing is lost: whole numbers, real
numbers or texts. Statistics, requests and labels are made of the plain form; only `signature.to_arrays` narrows it to what a
model holds, and `validate` counts what that loses.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._core.types.feature_types import FLOAT32, INT64, STRING, FeatureType

Values: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True, eq=False)
class ColumnType:
    """One type of a column of examples.

    Attributes:
        name: Its name in the manifest.
        arrow: The Arrow type in which examples hold it.
        is_arrow: Whether a column of an Arrow type is read as this type.
        feature: What a model takes it as when no value is missing; a whole number that may be missing is a real one to a model.
        plain: The Arrow type of its plain form.
        to_plain: Makes the plain form.
    """

    name: str
    arrow: pa.DataType
    is_arrow: Callable[[pa.DataType], bool]
    feature: FeatureType
    plain: pa.DataType
    to_plain: Callable[[Values], Values]


def _is_text(arrow: pa.DataType) -> bool:
    values = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_null(values))


def _is_time(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(arrow) or pa.types.is_date(arrow))


def _is_bytes(arrow: pa.DataType) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(is_kind(arrow) for is_kind in kinds)


def _cast_to(plain: pa.DataType) -> Callable[[Values], Values]:
    return lambda column: column.cast(plain)


def time_as_text(column: Values) -> Values:
    """Times as `2026-01-31`, `2026-01-31 09:30:00` or `2026-01-31 09:30:00.5`; in UTC and with a `Z` where there is a time zone.

    The unit does not show, so that a time is the same text in seconds and in nanoseconds.
    """
    if pa.types.is_date(column.type):
        return column.cast(pa.date32()).cast(pa.string())
    clock = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    trimmed = pc.replace_substring_regex(clock, r"(\.\d*?)0+$", r"\1")
    text = pc.replace_substring_regex(trimmed, r"\.$", "")
    return text if column.type.tz is None else pc.binary_join_element_wise(text, "Z", "")


def _bytes_as_text(column: Values) -> Values:
    """Bytes as base64, in the alphabet that is safe in URLs: the one that `tf.io.decode_base64` reads."""
    known = ((None if value is None else base64.urlsafe_b64encode(value).decode()) for value in column.to_pylist())
    return pa.array(known, pa.string())


BOOL = ColumnType("bool", pa.bool_(), pa.types.is_boolean, INT64, pa.int64(), _cast_to(pa.int64()))
WHOLE = ColumnType("int64", pa.int64(), pa.types.is_integer, INT64, pa.int64(), _cast_to(pa.int64()))
SINGLE = ColumnType("float32", pa.float32(), pa.types.is_float32, FLOAT32, pa.float32(), _cast_to(pa.float32()))
DOUBLE = ColumnType("float64", pa.float64(), pa.types.is_float64, FLOAT32, pa.float64(), _cast_to(pa.float64()))
TEXT = ColumnType("string", pa.string(), _is_text, STRING, pa.string(), _cast_to(pa.string()))
TIME = ColumnType("timestamp", pa.timestamp("us"), _is_time, STRING, pa.string(), time_as_text)
BYTES = ColumnType("bytes", pa.binary(), _is_bytes, STRING, pa.string(), _bytes_as_text)

COLUMN_TYPES: dict[str, ColumnType] = {known.name: known for known in (BOOL, WHOLE, SINGLE, DOUBLE, TEXT, TIME, BYTES)}
"""Every type by its name, in the order in which an Arrow type is looked up."""


def type_of_arrow(arrow: pa.DataType, column: str) -> ColumnType:
    """The type as which a column of an Arrow type is read.

    Args:
        arrow: The Arrow type.
        column: The column's name, for the message.

    Raises:
        DataError: When no type reads it.
    """
    for known in COLUMN_TYPES.values():
        if known.is_arrow(arrow):
            return known
    raise DataError(
        f"has the Arrow type {arrow}; allowed: {', '.join(COLUMN_TYPES)}",
        where=f"column {column}",
        remedy="convert it in the source, or leave it out of the table",
    )


def to_plain(column: Values, name: str) -> Any:
    """A column's plain form, in which nothing is lost: whole numbers, real numbers or texts; a plain column as it is.

    Args:
        column: A column of examples, or of a sample of them.
        name: Its name, for the message.

    Raises:
        DataError: When no type reads its Arrow type, or a whole number does not fit an int64.
    """
    known = type_of_arrow(column.type, name)
    if column.type == known.plain:
        return column
    try:
        return known.to_plain(column)
    except pa.ArrowInvalid as error:
        message = f"has a value that does not fit {known.plain}: {str(error).partition(chr(10))[0]}"
        raise DataError(message, where=f"column {name}", remedy="correct it in the source") from error


def to_text(column: Values) -> Any:
    """A column's values as the texts by which rows and classes are known: a truth value is `true` or `false`."""
    special = next((known for known in (TIME, BYTES) if known.is_arrow(column.type)), None)
    return special.to_plain(column) if special else column.cast(pa.string())


def is_text(arrow: pa.DataType) -> bool:
    """Whether a column of an Arrow type is text to a model."""
    return any(known.is_arrow(arrow) for known in COLUMN_TYPES.values() if known.feature.is_text)
