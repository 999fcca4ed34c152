"""Parse JSON lines one by one, exactly: for blocks that Arrow's reader refuses, or would read with loss."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from components._core.types.json_lines import EXACT_IN_DOUBLE
from components._core.types.json_values import LineError, NotJsonError, parse_value
from components._data.formats.typed_columns import as_json, readable_type

WIDE = pa.decimal128(38, 0)
"""Stands for whole numbers beyond int64 while types are inferred; such a column is text."""
_MOST_INT64 = 1 << 63


def parse_line(line: bytes) -> dict[str, Any]:
    """Parse a line as an object.

    Raises:
        LineError: When it is not UTF-8, not JSON, not an object, or has a key twice.
    """
    try:
        value = parse_value(line)
    except NotJsonError as error:
        raise LineError(f"the line is {error}") from None
    if not isinstance(value, dict):
        raise LineError(f"the line is {_kind(value)}, not an object")
    return value


def _kind(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", str: "a text", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def type_of(value: Any) -> pa.DataType:
    """Return the Arrow type of a parsed value. A list is text: its JSON."""
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64() if -_MOST_INT64 <= value < _MOST_INT64 else WIDE
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, dict):
        return pa.struct([pa.field(name, type_of(part)) for name, part in value.items()])
    return pa.string()


def merge_types(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both: real numbers for numbers, else text; objects by their parts."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return pa.struct(merge_fields(list(one), list(other)))
    numbers = {one, other} & {pa.int64(), pa.float64(), WIDE}
    if len(numbers) == 2:
        return pa.float64() if pa.float64() in numbers else WIDE
    return pa.string()


def widen_fields(known: list[pa.Field], found: list[pa.Field]) -> list[pa.Field]:
    """Extend the columns of earlier spans by those of a span: a type stays, but for a real number in a column of whole ones."""
    types = {field.name: field.type for field in known}
    for field in found:
        types[field.name] = _widen(types.get(field.name, pa.null()), field.type)
    return [pa.field(name, kind) for name, kind in types.items()]


def _widen(known: pa.DataType, found: pa.DataType) -> pa.DataType:
    if pa.types.is_null(known):
        return found
    if pa.types.is_struct(known) and pa.types.is_struct(found):
        return pa.struct(widen_fields(list(known), list(found)))
    return found if (known, found) == (pa.int64(), pa.float64()) else known


def merge_fields(one: list[pa.Field], other: list[pa.Field]) -> list[pa.Field]:
    """Merge two lists of columns, in the order of the first appearance."""
    types = {field.name: field.type for field in one}
    for field in other:
        types[field.name] = merge_types(types.get(field.name, pa.null()), field.type)
    return [pa.field(name, kind) for name, kind in types.items()]


def to_value(value: Any, kind: pa.DataType, name: str) -> Any:
    """Convert a parsed value to a column's type.

    Args:
        value: The value.
        kind: The type of the column, or of an object in it.
        name: Name of the column, for the message.

    Raises:
        LineError: When it is of another type.
    """
    if value is None or pa.types.is_null(kind):
        return None
    if pa.types.is_struct(kind):
        if not isinstance(value, dict):
            raise LineError(f"column {name!r}: found {_kind(value)} instead of an object")
        return {part.name: to_value(value.get(part.name), part.type, f"{name}.{part.name}") for part in kind}
    if pa.types.is_string(kind):
        return _as_text(value, name)
    if not _fits(value, kind):
        shown = as_json(value) or ""
        raise LineError(f"column {name!r}: {shown[:80]} is not {_NAMES[kind]}")
    return value


def _as_text(value: Any, name: str) -> str | None:
    text = value if isinstance(value, str) else as_json(value)
    if text and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, as in "\\ud800"
            raise LineError(f"column {name!r}: the text has half of a character") from None
    return text


_NAMES = {
    pa.int64(): "a whole number up to 2^63 - 1",
    pa.float64(): "a real number (whole numbers are exact up to 2^53)",
    pa.bool_(): "true or false",
}


def _fits(value: Any, kind: pa.DataType) -> bool:
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and pa.types.is_boolean(kind)
    if pa.types.is_integer(kind):
        return isinstance(value, int) and -_MOST_INT64 <= value < _MOST_INT64
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT_IN_DOUBLE)


def column_kind(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is parsed, from the one that inference found: whole numbers beyond int64 are texts."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, column_kind(part.type)) for part in kind])
    return pa.string() if kind == WIDE or readable_type(kind) is None else kind
