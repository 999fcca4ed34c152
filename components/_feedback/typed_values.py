"""Values in the type of a label or a feature, one by one: what has no such value is missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from components._core.types.column_types import to_text


def cast_or_null(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast a column value by value; what has no such value becomes null.

    Args:
        column: Numbers, truth values or texts.
        kind: The type.
    """
    if column.type == kind:
        return column
    if pa.types.is_boolean(kind) and not pa.types.is_boolean(column.type):
        column = _cast_each(
            column, lambda value: {"true": True, "1": True, "false": False, "0": False}.get(_word(value))
        )
        return column.cast(kind)
    try:
        return to_text(column) if pa.types.is_string(kind) else column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a value that does not fit, or types that have no cast
        return _cast_each(column, lambda value: _parse(value, kind)).cast(kind)


def _cast_each(column: pa.Array, parse: Callable[[object], object]) -> pa.Array:
    encoded = column.dictionary_encode()
    return pa.array([parse(value) for value in encoded.dictionary.to_pylist()]).take(encoded.indices)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip().lower()


def _parse(value: object, kind: pa.DataType) -> int | float | None:
    try:
        number = float(str(value).strip()) if not isinstance(value, int) else value
    except ValueError:
        return None
    if pa.types.is_floating(kind):
        return float(number)
    return int(number) if float(number).is_integer() and abs(number) < 2**63 else None


def fits(column: pa.Array, wanted: pa.DataType | None) -> bool:
    """Return whether a narrower type of training rows holds all values; None: it is not narrower."""
    if wanted is None:
        return True
    values = np.asarray(column.drop_null()) if pa.types.is_integer(wanted) or pa.types.is_boolean(wanted) else None
    if values is None or values.dtype == object:
        return True
    if pa.types.is_boolean(wanted):
        return bool(np.all((values == 0) | (values == 1)))
    return bool(np.all((np.floor(values) == values) & (np.abs(values) < 2.0**63)))
