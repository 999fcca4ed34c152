"""The Arrow types of an Avro schema, and the conversion of the values that fastavro gives for it.

Types come from the writer's schema and never from values: a decimal keeps its precision, a union with null is its other
type, an enum is text. A union of several types is text, unless all are numbers, which are real then; a list or map is the text of its JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from components._core.types.json_lines import EXACT_IN_DOUBLE
from components._data.formats.typed_columns import as_json

_PRIMITIVES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
    "fixed": pa.binary(),
}
_LOGICAL = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "timestamp-nanos": pa.timestamp("ns", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "local-timestamp-nanos": pa.timestamp("ns"),
    "uuid": pa.string(),
}
_BASES = {
    "date": "int", "time-millis": "int", "uuid": "string",
}  # fmt: skip
"""Type that a logical type is for; `long` for others. With another type it has no meaning, as Avro's specification says."""
_MOST_DIGITS = 38
_RECURSIVE = "recursive"


class Column:
    """A column of an Avro file.

    Attributes:
        field: Its name and Arrow type.
        to_array: Converts its values, as fastavro gives them, to an Arrow array.
    """

    def __init__(self, name: str, kind: pa.DataType, prepare: Callable[[Any], Any] | None = None) -> None:
        """Create it.

        Args:
            name: Its name.
            kind: Its Arrow type.
            prepare: Converts a value that is not missing to one that Arrow takes; None: Arrow takes all of them.
        """
        self.field = pa.field(name, kind)
        self._prepare = prepare

    def to_array(self, values: list[Any]) -> pa.Array:
        """Convert values to an Arrow array."""
        if self._prepare is not None:
            prepare = self._prepare
            values = [None if value is None else prepare(value) for value in values]
        return pa.array(values, self.field.type)


def columns_of(record: dict[str, Any], named: dict[str, Any]) -> list[Column]:
    """Return the columns of a record.

    Args:
        record: A parsed schema of type `record`.
        named: Named types, by their full name.
    """
    return [_column(field["name"], field["type"], named) for field in record["fields"]]


def _column(name: str, schema: Any, named: dict[str, Any]) -> Column:
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return _union(name, schema, named)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in ("record", "error"):
        return _record(name, schema, named)
    if kind in ("array", "map", _RECURSIVE):
        return Column(name, pa.string(), as_json)
    if isinstance(schema, dict) and (logical := schema.get("logicalType")):
        return _logical(name, schema, kind, logical)
    return Column(name, _PRIMITIVES[kind])


def _logical(name: str, schema: dict[str, Any], kind: str, logical: str) -> Column:
    if logical == "decimal" and kind in ("bytes", "fixed"):
        digits, scale = int(schema["precision"]), int(schema.get("scale", 0))
        return Column(name, _decimal(digits, scale))
    if logical in _LOGICAL and kind == _BASES.get(logical, "long"):
        return Column(name, _LOGICAL[logical], str if logical == "uuid" else None)
    return Column(name, _PRIMITIVES[kind])


def _decimal(digits: int, scale: int) -> pa.DataType:
    return pa.decimal128(digits, scale) if digits <= _MOST_DIGITS else pa.decimal256(digits, scale)


def _union(name: str, branches: list[Any], named: dict[str, Any]) -> Column:
    columns = [_column(name, branch, named) for branch in branches if branch != "null"]
    if not columns:
        return Column(name, pa.null())
    if len(columns) == 1:
        return columns[0]
    types = {column.field.type for column in columns}
    if types <= {pa.int64()}:
        return Column(name, pa.int64())
    if types <= {pa.int64(), pa.float32(), pa.float64()}:
        return Column(name, pa.float64(), _as_real)
    return Column(name, pa.string(), _as_text)


def _as_real(value: float) -> float:
    if isinstance(value, int) and abs(value) > EXACT_IN_DOUBLE:
        raise ValueError(f"{value} is beyond 2^53, and its column has real numbers, too")
    return float(value)


def _as_text(value: Any) -> str | None:
    return value if isinstance(value, str) else as_json(value)


def _record(name: str, schema: dict[str, Any], named: dict[str, Any]) -> Column:
    """Make a struct of a record; where it contains itself, it is the text of its JSON."""
    inside = {**named, schema["name"]: {"type": _RECURSIVE}}
    return _Record(name, columns_of(schema, inside))


class _Record(Column):
    """A record in a column: a struct of its fields."""

    def __init__(self, name: str, parts: list[Column]) -> None:
        super().__init__(name, pa.struct([part.field for part in parts]))
        self._parts = parts

    def to_array(self, values: list[Any]) -> pa.Array:
        names = [part.field.name for part in self._parts]
        arrays = [
            part.to_array([None if value is None else value[name] for value in values])
            for name, part in zip(names, self._parts, strict=True)
        ]
        return pa.StructArray.from_arrays(arrays, fields=list(self.field.type))
