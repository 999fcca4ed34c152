"""The mapping of typed columns (Parquet, Avro, JSON lines, ...) to columns of examples, and the conversion of values.

A value stays what it is: `column_types.py` has the types. Where there is no such type, the column is a text that keeps
every value: a time of day, a list (as JSON). Objects inside of objects become columns with dotted names. `convert`
supports exactly the types that `readable_type` allows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.types.column_types import find_type, to_text
from components._core.types.json_lines import EXACT_IN_DOUBLE
from components._data.columns.numbers import FLOAT32_MAX

ALLOWED = (
    "whole numbers, decimals, float, double, string, bool, date, time, timestamp, binary, lists, maps, "
    "and dictionaries and structs of these"
)
_LARGEST_INT64 = (1 << 63) - 1
_DIGITS_OF_INT64 = 18
_EXACT_POWER_OF_TEN = 22
_LAST_ASCII = 127
_VIEWS = {"string_view": pa.string(), "binary_view": pa.binary()}
"""Types of new writers, which old versions of pyarrow have no name for."""


@dataclass(frozen=True)
class Converted:
    """A converted column.

    Attributes:
        values: The values; missing where one is wrong.
        wrong: Which rows have a value that the type cannot hold (bool [rows]); None: no row.
        reason: Why, for messages.
    """

    values: pa.Array
    wrong: NDArray[np.bool_] | None = None
    reason: str = ""


def readable_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type that a column has in examples, or `null` when it has no value.

    Args:
        kind: Arrow's type of the column; no struct, which `flatten_fields` replaces by its parts.

    Returns:
        None when the type is not supported.
    """
    if pa.types.is_dictionary(kind):
        return readable_type(kind.value_type)
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_time(kind) or is_nested(kind):
        return pa.string()
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        # a file keeps the instant, and a zone to show it in
        return pa.timestamp(kind.unit, None if kind.tz is None else "UTC")
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind):
        return pa.int64() if kind.scale == 0 else pa.float64()
    if str(kind) in _VIEWS:
        return _VIEWS[str(kind)]
    known = find_type(kind)
    return known.arrow if known else None


def is_nested(kind: pa.DataType) -> bool:
    """Return whether it is a list or a map, whose values become JSON texts."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_map)
    return any(is_kind(kind) for is_kind in kinds)


def may_exceed_int64(kind: pa.DataType) -> bool:
    """Return whether a type of whole numbers has values that do not fit an int64."""
    return bool(
        pa.types.is_uint64(kind)
        or (pa.types.is_decimal(kind) and kind.scale == 0 and kind.precision > _DIGITS_OF_INT64)
    )


def flatten_fields(fields: Sequence[pa.Field]) -> list[pa.Field]:
    """Replace each struct by its parts, with dotted names."""
    flat: list[pa.Field] = []
    for field in fields:
        if pa.types.is_struct(field.type):
            parts = [field.type[place] for place in range(field.type.num_fields)]
            flat += flatten_fields([pa.field(f"{field.name}.{part.name}", part.type) for part in parts])
        else:
            flat.append(field)
    return flat


def flatten_columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns by name, each struct replaced by its parts, with dotted names."""
    flat: dict[str, pa.Array] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        _flatten(field.name, column, flat)
    return flat


def _flatten(name: str, column: pa.Array, flat: dict[str, pa.Array]) -> None:
    if not pa.types.is_struct(column.type):
        flat[name] = column
        return
    for place, part in enumerate(column.flatten()):
        _flatten(f"{name}.{column.type[place].name}", part, flat)


def convert(column: pa.Array, kind: pa.DataType) -> Converted:
    """Convert a column to its type in examples; NaN becomes missing.

    Args:
        column: A column of a type that `readable_type` allows.
        kind: That type, or the wider one that holds for several files.

    Raises:
        pyarrow.ArrowInvalid: When a text is not UTF-8.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return Converted(_without_nan(column).cast(kind))
    if pa.types.is_decimal(column.type):
        return _convert_decimals(column, kind)
    if pa.types.is_integer(column.type):
        return _convert_whole(column, kind)
    if is_nested(column.type):
        return Converted(_as_json(column))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        _check_utf8(column)
    if str(column.type) in _VIEWS:
        column = column.cast(_VIEWS[str(column.type)])
    return Converted(to_text(column) if pa.types.is_string(kind) else column.cast(kind))


def are_ordinary(reals: pa.Array) -> bool:
    """Return whether no value is NaN, infinite or beyond a float32, much faster than Arrow does.

    What lies in the place of a missing value is looked at, too, so that False is not proof of the contrary.
    """
    if pa.types.is_float16(reals.type) or not len(reals):
        return not len(reals)
    kind = np.dtype(f"f{reals.type.bit_width // 8}")
    values = np.frombuffer(reals.buffers()[1], kind)[reals.offset : reals.offset + len(reals)]
    return bool(values.min() >= -FLOAT32_MAX and values.max() <= FLOAT32_MAX)  # a comparison with NaN is False


def _check_utf8(texts: pa.Array) -> None:
    """Refuse bytes that a writer has declared as text; Arrow's slow check is skipped where all are ASCII.

    Raises:
        pyarrow.ArrowInvalid: When a text is not UTF-8.
    """
    texts.validate()
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    places = np.frombuffer(offsets, kind)
    part = np.frombuffer(content, np.uint8)[places[texts.offset] : places[texts.offset + len(texts)]]
    if part.max(initial=0) > _LAST_ASCII:
        texts.validate(full=True)


def _without_nan(column: pa.Array) -> pa.Array:
    if are_ordinary(column):
        return column
    reals = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    missing = pc.is_nan(reals)
    return pc.if_else(missing, pa.scalar(None, reals.type), reals) if pc.any(missing).as_py() else reals


def _convert_whole(column: pa.Array, kind: pa.DataType) -> Converted:
    if pa.types.is_floating(kind):
        most, reason = EXACT_IN_DOUBLE, "is beyond 2^53; real numbers, as another file has them here, cannot hold it"
    elif pa.types.is_uint64(column.type) and pa.types.is_integer(kind):
        most, reason = _LARGEST_INT64, "is beyond 2^63 - 1, the largest whole number that examples hold"
    else:
        return Converted(column.cast(kind))
    if pa.types.is_unsigned_integer(column.type):
        fits = pc.less_equal(column, pa.scalar(most, pa.uint64()))
    else:
        fits = pc.and_(pc.less_equal(column, most), pc.greater_equal(column, -most))
    if pc.all(fits).as_py() is not False:
        return Converted(column.cast(kind))
    wrong = ~np.asarray(fits.fill_null(True))
    return Converted(pc.if_else(fits, column, pa.scalar(None, column.type)).cast(kind), wrong, reason)


def _convert_decimals(column: pa.Array, kind: pa.DataType) -> Converted:
    if pa.types.is_string(kind):
        return Converted(pa.array([None if value is None else str(value) for value in column.to_pylist()], kind))
    if pa.types.is_integer(kind):
        return _decimals_as_whole(column, kind)
    return _decimals_as_reals(column, kind)


def _decimals_as_whole(column: pa.Array, kind: pa.DataType) -> Converted:
    try:
        return Converted(column.cast(kind))
    except pa.ArrowInvalid:  # pyarrow does not say which one
        known = column.to_pylist()
    wrong = np.array([value is not None and abs(value) > _LARGEST_INT64 for value in known])
    values = [None if bad or value is None else int(value) for value, bad in zip(known, wrong, strict=True)]
    return Converted(pa.array(values, kind), wrong, "is beyond 2^63 - 1, the largest whole number that examples hold")


def _decimals_as_reals(column: pa.Array, kind: pa.DataType) -> Converted:
    """Convert decimals to the nearest double, which a CSV with the same digits gives; Arrow's own cast may be off by a bit.

    A whole number that would be rounded, as of an identifier, is wrong: only digits after the point may be lost.
    """
    scale = column.type.scale
    if pa.types.is_decimal128(column.type) and 0 <= scale <= _EXACT_POWER_OF_TEN:
        halves = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset : 2 * (column.offset + len(column))]
        low, high = halves[::2], halves[1::2]
        missing = np.asarray(column.is_null())
        if np.all(missing | ((np.abs(low) <= EXACT_IN_DOUBLE) & (high == low >> 63))):
            return Converted(
                pa.array(low / 10.0**scale, mask=missing).cast(kind)
            )  # both exact: the quotient is the nearest
    known = column.to_pylist()
    wrong = np.array([value is not None and _is_rounded(value) for value in known], dtype=bool)
    values = [None if bad or value is None else float(value) for value, bad in zip(known, wrong, strict=True)]
    reason = "is a whole number beyond 2^53, which a real number would round"
    return Converted(pa.array(values, pa.float64()).cast(kind), wrong if wrong.any() else None, reason)


def _is_rounded(value: Decimal) -> bool:
    """Return whether a decimal is a whole number that a double does not hold."""
    return abs(value) > EXACT_IN_DOUBLE and value == value.to_integral_value() and int(float(value)) != int(value)


def _as_json(column: pa.Array) -> pa.Array:
    is_map = pa.types.is_map(column.type)
    return pa.array([as_json(dict(v) if is_map and v is not None else v) for v in column.to_pylist()], pa.string())


def as_json(value: Any) -> str | None:
    """Format a value as compact JSON; bytes in base64, times as ISO text. Missing stays missing."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_plain)


def _as_plain(value: Any) -> Any:
    return base64.urlsafe_b64encode(value).decode() if isinstance(value, bytes) else str(value)
