"""The types of the columns of examples: exact, as in the source, and their mapping to a model's types.

Examples keep a value as it is: truth values, whole numbers with missing ones, real numbers in double precision, times,
bytes. A model takes three types (`feature_types.py`). Between the two a column has a lossless plain form: whole
numbers, real numbers or texts. Statistics, requests and labels use the plain form; only `signature.to_arrays` narrows
it to a model's types, and `validate` counts what that loses.
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
        name: Name of the type in the manifest.
        arrow: Arrow type of the column in examples; a date or a time keeps the one of its source (`formats/typed_columns.py`).
        is_arrow: Returns whether a column of an Arrow type is read as this type.
        feature: Type in a model when no value is missing; a whole number that may be missing is a real number in a
            model.
        plain: Arrow type of the plain form.
        to_plain: Converts a column to the plain form.
    """

    name: str
    arrow: pa.DataType
    is_arrow: Callable[[pa.DataType], bool]
    feature: FeatureType
    plain: pa.DataType
    to_plain: Callable[[Values], Values]

    def fits(self, feature: FeatureType) -> bool:
        """Return whether a model can take the column as a feature: as a number or a text, and a truth value as either."""
        return feature.is_text == self.feature.is_text or self is BOOL


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


def _time_as_text(column: Values) -> Values:
    """Format times as `2026-01-31`, `2026-01-31 09:30:00` or `2026-01-31 09:30:00.5`; in UTC and with a `Z` where there is a time zone.

    The unit does not matter: a time gives the same text in seconds and in nanoseconds.
    """
    if pa.types.is_date(column.type):
        return column.cast(pa.date32()).cast(pa.string())
    clock = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    trimmed = pc.replace_substring_regex(clock, r"(\.\d*?)0+$", r"\1")
    text = pc.replace_substring_regex(trimmed, r"\.$", "")
    return text if column.type.tz is None else pc.binary_join_element_wise(text, "Z", "")


def _bytes_as_text(column: Values) -> Values:
    """Encode bytes as URL-safe base64, which `tf.io.decode_base64` reads."""
    known = ((None if value is None else base64.urlsafe_b64encode(value).decode()) for value in column.to_pylist())
    return pa.array(known, pa.string())


BOOL = ColumnType("bool", pa.bool_(), pa.types.is_boolean, INT64, pa.int64(), _cast_to(pa.int64()))
WHOLE = ColumnType("int64", pa.int64(), pa.types.is_integer, INT64, pa.int64(), _cast_to(pa.int64()))
SINGLE = ColumnType("float32", pa.float32(), pa.types.is_float32, FLOAT32, pa.float32(), _cast_to(pa.float32()))
DOUBLE = ColumnType("float64", pa.float64(), pa.types.is_float64, FLOAT32, pa.float64(), _cast_to(pa.float64()))
TEXT = ColumnType("string", pa.string(), _is_text, STRING, pa.string(), _cast_to(pa.string()))
TIME = ColumnType("timestamp", pa.timestamp("us"), _is_time, STRING, pa.string(), _time_as_text)
BYTES = ColumnType("bytes", pa.binary(), _is_bytes, STRING, pa.string(), _bytes_as_text)

COLUMN_TYPES: dict[str, ColumnType] = {known.name: known for known in (BOOL, WHOLE, SINGLE, DOUBLE, TEXT, TIME, BYTES)}
"""Every type by its name, in the order in which an Arrow type is looked up."""


def find_type(arrow: pa.DataType) -> ColumnType | None:
    """Return the type of a column from its Arrow type; None when the Arrow type is not supported."""
    return next((known for known in COLUMN_TYPES.values() if known.is_arrow(arrow)), None)


def type_of_arrow(arrow: pa.DataType, column: str) -> ColumnType:
    """Return the type of a column from its Arrow type.

    Args:
        arrow: The Arrow type.
        column: The column's name, for the message.

    Raises:
        DataError: When the Arrow type is not supported.
    """
    known = find_type(arrow)
    if known is None:
        raise DataError(
            f"has the Arrow type {arrow}; allowed: {', '.join(COLUMN_TYPES)}",
            where=f"column {column}",
            remedy="convert it in the source, or leave it out of the table",
        )
    return known


def to_plain(column: Values, name: str) -> Any:
    """Convert a column to its lossless plain form: whole numbers, real numbers or texts; a plain column is unchanged.

    Args:
        column: A column of examples, or of a sample of them.
        name: Name of the column, for the message.

    Raises:
        DataError: When its Arrow type is not supported, or a whole number does not fit an int64.
    """
    known = type_of_arrow(column.type, name)
    if column.type == known.plain:
        return column
    try:
        return known.to_plain(column)
    except pa.ArrowInvalid as error:
        message = f"has a value that does not fit {known.plain}: {str(error).partition(chr(10))[0]}"
        raise DataError(message, where=f"column {name}", remedy="correct it in the source") from error


def to_feature(column: Values, name: str, feature: FeatureType) -> Any:
    """Convert a column to the plain form that a feature takes.

    It is `to_plain`, except that a truth value is `true` or `false` in a feature of texts: so it was until examples had
    truth values, and so a reviewed schema or an earlier model may want it.

    Args:
        column: A column of examples, or of a sample of them.
        name: Name of the column, for the message.
        feature: Type of the feature.

    Raises:
        DataError: As in `to_plain`.
    """
    return to_text(column) if feature.is_text and BOOL.is_arrow(column.type) else to_plain(column, name)


def to_text(column: Values) -> Any:
    """Convert a column's values to the texts that identify rows and classes: a truth value is `true` or `false`."""
    special = next((known for known in (TIME, BYTES) if known.is_arrow(column.type)), None)
    return special.to_plain(column) if special else column.cast(pa.string())


def is_text(arrow: pa.DataType) -> bool:
    """Return whether a column of an Arrow type is text in a model."""
    return any(known.is_arrow(arrow) for known in COLUMN_TYPES.values() if known.feature.is_text)
