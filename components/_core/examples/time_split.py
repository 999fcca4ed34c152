"""Split by time: a row's time is compared with two borders, so rows of the same time are never divided.

The time is taken from the examples, not from raw cells, so that what a manifest says can be repeated on examples later.
A number is compared as it is; text is read as ISO 8601 and compared in UTC, and without a zone is taken as UTC, to the
microsecond.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.hash_split import UNKNOWN
from components._core.examples.split_definition import TimeSplit
from components._core.types.column_types import to_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FLOAT32_EXACT = 2**24
"""From here on, float32 cannot represent every whole number."""


def read_times(column: pa.Array) -> pa.Array:
    """Parse the time of each row as int64 or float64; null where it is missing or cannot be read.

    Args:
        column: Numbers, times or texts.
    """
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if pa.types.is_floating(column.type):
        return pa.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), from_pandas=True)
    encoded = column.dictionary_encode()
    return _read_texts(to_text(encoded.dictionary)).take(encoded.indices)


def write_time(time: float, column: pa.DataType) -> float | str:
    """Convert a time from `read_times` to the form kept in a definition: a number, or ISO text.

    Args:
        time: The time.
        column: Type of the time column.
    """
    if pa.types.is_integer(column) or pa.types.is_floating(column):
        return time
    return (_EPOCH + int(time) * _MICROSECOND).replace(tzinfo=None).isoformat(sep=" ")


def assign_splits(examples: pa.RecordBatch, definition: TimeSplit) -> NDArray[np.int8]:
    """Return the split of each row: 0 train, 1 eval, 2 test, as int8 [rows].

    Args:
        examples: Rows with the column of the definition, of the type that it was made from.
        definition: The definition of the split.
    """
    times = read_times(examples.column(examples.schema.get_field_index(definition.column)))
    return _compare(times, [_border(definition.eval_from), _border(definition.test_from)])


def reassign_splits(examples: pa.RecordBatch, definition: TimeSplit, types: dict[str, str]) -> NDArray[np.int8]:
    """Return the split that another definition gave the rows of today's examples; `UNKNOWN` where it cannot be determined.

    Args:
        examples: Rows with the column of the definition.
        definition: The other definition.
        types: Type by column in the examples of that definition.
    """
    column = examples.column(examples.schema.get_field_index(definition.column))
    borders = [_border(definition.eval_from), _border(definition.test_from)]
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if is_number == isinstance(definition.test_from, str):
        return np.where(np.asarray(column.is_null()), np.int8(0), np.int8(UNKNOWN))
    if types.get(definition.column) == "float32" and is_number:
        column = column.cast(pa.float32(), safe=False)
    elif pa.types.is_float32(column.type):
        # the definition is more exact: rounding keeps the order of times, but not beside a border
        borders = [float(np.float32(border)) for border in borders]
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        exact_below = 0 if types.get(definition.column) == "float64" else _FLOAT32_EXACT
        beside = np.isin(values, borders) & (np.abs(values) >= exact_below)
        return np.where(beside, np.int8(UNKNOWN), _compare(read_times(column), borders))
    return _compare(read_times(column), borders)


def _compare(times: pa.Array, borders: list[float]) -> NDArray[np.int8]:
    known = np.asarray(times.is_valid())
    values = times.fill_null(0).to_numpy(zero_copy_only=False)
    return np.where(known, np.searchsorted(borders, values, side="right"), 0).astype(np.int8)


def _border(written: float | str) -> float:
    return _microseconds(datetime.fromisoformat(written)) if isinstance(written, str) else written


def _read_texts(texts: pa.Array) -> pa.Array:
    try:  # Arrow reads the usual forms a hundred times as fast, and no text otherwise than Python does
        return texts.cast(pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.array([_read_text(text) for text in texts.to_pylist()], pa.int64())


def _read_text(text: str | None) -> int | None:
    """Parse ISO text as microseconds since 1970 in UTC; None when it is not ISO text."""
    try:
        return _microseconds(datetime.fromisoformat((text or "").strip()))
    except ValueError:
        return None


def _microseconds(time: datetime) -> int:
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
