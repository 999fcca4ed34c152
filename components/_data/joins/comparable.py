"""Keys and times of two tables in the same types, so that equal values are equal whatever their files' types are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import ConfigError, DataError
from components._core.examples.time_split import read_times
from components._core.types.column_types import BOOL, BYTES, TEXT, TIME, ColumnType, find_type, to_text, type_of_arrow
from components._data.joins.as_of import Moments

Kind = Literal["whole", "real", "text", "bool", "bytes"]
_KINDS: dict[ColumnType, Kind] = {BOOL: "bool", TEXT: "text", TIME: "text", BYTES: "bytes"}
_NUMBERS = ("whole", "real")
_LARGEST = 2.0**63


def common_kind(one: pa.DataType, other: pa.DataType, names: tuple[str, str], where: str, remedy: str) -> Kind:
    """Return as what two key columns are compared; whole and real numbers as whole ones, dates and texts as ISO text.

    Args:
        one: Type of the table's column.
        other: Type of the second table's column.
        names: Their names, for the message.
        where: Path in project.yaml.
        remedy: What to do where they cannot be equal.

    Raises:
        ConfigError: When the values of one can never be equal to those of the other.
    """
    types = [type_of_arrow(kind, name) for kind, name in zip((one, other), names, strict=True)]
    kinds = [_kind(found) for found in types]
    if set(kinds) == set(_NUMBERS):
        return "whole"
    if kinds[0] != kinds[1]:
        message = f"{names[0]} is {types[0].name} and {names[1]} is {types[1].name}: their values are never equal"
        raise ConfigError(message, where=where, remedy=remedy)
    return kinds[0]


def _kind(known: ColumnType) -> Kind:
    return _KINDS.get(known) or ("real" if known.feature.is_real else "whole")


def as_kind(column: pa.Array, kind: Kind) -> pa.Array:
    """Convert a key column; a real number that is not whole has no equal among whole ones, and becomes missing."""
    if kind == "text":
        return to_text(column).cast(pa.string())
    if kind == "whole" and pa.types.is_floating(column.type):
        reals = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        whole = (np.floor(reals) == reals) & (np.abs(reals) < _LARGEST)
        return pa.array(np.where(whole, reals, 0).astype(np.int64), mask=~whole)
    return column.cast({"whole": pa.int64(), "real": pa.float64()}.get(kind, column.type))


def is_number(kind: pa.DataType) -> bool:
    """Return whether times of an Arrow type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def check_time_type(kind: pa.DataType, name: str, where: str) -> None:
    """Refuse a column that cannot have times.

    Raises:
        DataError: When it has truth values or bytes.
    """
    known = find_type(kind)
    if known is None or _kind(known) in ("bool", "bytes"):
        remedy = "name a column of numbers, dates or ISO text, such as 2013-05-01T10:00"
        raise DataError(f"column {name!r} is {known.name if known else kind}, no time", where=where, remedy=remedy)


def parse_moments(column: pa.Array) -> tuple[Moments, NDArray[np.bool_]]:
    """Parse times as `data.split` by time does: numbers as they are, others as microseconds in UTC.

    Returns:
        The times, and where there is one; shape [rows] each.
    """
    times = read_times(column)
    return times.fill_null(0).to_numpy(zero_copy_only=False), np.asarray(times.is_valid())


def round_moments(times: Moments, *, up: bool) -> Moments:
    """Round real numbers to whole ones, to compare them with whole ones exactly: a time of a second table up, that of a row down."""
    if times.dtype.kind != "f":
        return times
    bounded = np.clip(np.ceil(times) if up else np.floor(times), -_LARGEST, np.nextafter(_LARGEST, 0))
    return bounded.astype(np.int64)
