"""Conditions on the cells of a column, bound to the column's type: a condition that the type cannot have is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.types.column_types import BOOL, BYTES, COLUMN_TYPES, TEXT, TIME, to_text

Mask: TypeAlias = NDArray[np.bool_]
Condition: TypeAlias = Callable[[pa.Array], Mask]
"""Returns for each cell of a column (shape [rows]) whether it meets the condition; a missing one does not."""

_ISO = re.compile(
    r"(\d{4}(?:-\d\d(?:-\d\d)?)?)Z?|(\d{4}-\d\d-\d\d[T ]\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)(?:Z|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
"""A year, month or day, or a time of day with its distance from UTC; NumPy reads more as a time, such as `NaT` and `today`."""
_LEAST_WHOLE, _LARGEST_WHOLE = -(2**63), 2**63 - 1
_NUMBERS = "numbers"
_MEANINGS = {TEXT: "texts", TIME: "times", BOOL: "truth values", BYTES: "bytes"}
_COMPARISONS = {"<": pc.less, "<=": pc.less_equal, "==": pc.equal, ">=": pc.greater_equal, ">": pc.greater}


def is_missing(column: pa.Array) -> Mask:
    """Return where a column has no value."""
    return np.asarray(column.is_null())


def compares(operator: str, limit: float | str, kind: str, where: str) -> Condition:
    """Return the condition that a cell is less or greater than a limit.

    Args:
        operator: One of `<`, `<=`, `>=` and `>`.
        limit: A number; of a time its ISO text; of a text a text, which is compared letter by letter.
        kind: Name of the column's type in examples.
        where: Path of the limit in project.yaml, for messages.

    Raises:
        ConfigError: When a column of that type cannot be compared with the limit.
    """
    meaning = _meaning(kind)
    if meaning not in (_NUMBERS, "texts", "times") or isinstance(limit, str) == (meaning == _NUMBERS):
        raise _unfit(limit, meaning, where)
    if meaning == "times":
        time = _parse_time(str(limit), where)
        return lambda column: _compare_times(operator, column, time)
    compare = _COMPARISONS[operator]
    return lambda column: _filled(compare(column, _as_scalar(operator, limit, column.type)))


def is_one_of(values: Sequence[bool | float | str], kind: str, where: str) -> Condition:
    """Return the condition that a cell has one of some values; arguments and errors as of `compares`."""
    meaning = _meaning(kind)
    if meaning == _NUMBERS:
        if wrong := [value for value in values if isinstance(value, bool | str)]:
            raise _unfit(wrong[0], meaning, where)
        return _is_one_of_numbers([value for value in values if not isinstance(value, str)])
    if meaning == "times":
        times = [_parse_time(str(value), where) for value in values]
        instants = pa.array(times, pa.timestamp("us"))
        return lambda column: _filled(pc.is_in(_as_instants(column), value_set=instants))
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if meaning == "texts":  # YAML reads True and TRUE as the truth value, too
        words = [str(value) for value in values if isinstance(value, bool)]
        texts += [*words, *(word.upper() for word in words)]
    if meaning == "truth values" and (unknown := [text for text in texts if text not in ("true", "false")]):
        raise _unfit(unknown[0], meaning, where)
    known = pa.array(texts, pa.string())
    return lambda column: _filled(pc.is_in(to_text(column), value_set=known))


def _is_one_of_numbers(values: Sequence[float]) -> Condition:
    """Compare whole numbers as such: as real ones, large ones would equal their neighbours."""
    reals = pa.array([float(value) for value in values], pa.float64())
    whole_values = [int(value) for value in values if isinstance(value, int) or value.is_integer()]
    whole = pa.array([value for value in whole_values if _LEAST_WHOLE <= value <= _LARGEST_WHOLE], pa.int64())

    def is_in(column: pa.Array) -> Mask:
        # of 32 bits, 0.1 is another number
        known = whole if pa.types.is_integer(column.type) else reals.cast(column.type)
        return _filled(pc.is_in(column.cast(known.type), value_set=known))

    return is_in


def matches(pattern: str, kind: str, where: str) -> Condition:
    """Return the condition that a text matches a regular expression as a whole; arguments and errors as of `compares`."""
    if (meaning := _meaning(kind)) != "texts":
        message = f"is for texts, and the column has {meaning}"
        raise ConfigError(
            message, where=where, remedy="to keep a code as it is written, set data.columns.NAME.type: category"
        )
    whole = f"^(?:{pattern})$"
    try:
        pc.match_substring_regex(pa.array([""], pa.string()), whole)
    except pa.ArrowInvalid as error:
        message = f"found {pattern!r}, which RE2 does not read: {str(error).partition(chr(10))[0]}"
        raise ConfigError(message, where=where, remedy="write it without lookaround and back references") from error
    return lambda column: _filled(pc.match_substring_regex(column, whole))


def compare_columns(operator: str, one: pa.Array, other: pa.Array) -> Mask:
    """Return where two columns of one meaning compare as the operator says; not where a value is missing."""
    return _filled(_COMPARISONS[operator](*_comparable(one, other)))


def check_comparable(kinds: Sequence[str], where: str) -> None:
    """Refuse two columns whose values cannot be compared, by the names of their types.

    Raises:
        ConfigError: When the meanings differ, or have no order.
    """
    one, other = (_meaning(kind) for kind in kinds)
    if one != other or one not in (_NUMBERS, "texts", "times"):
        message = f"compares a column of {one} with one of {other}"
        raise ConfigError(message, where=where, remedy="name two columns of numbers, of times or of texts")


def negate(condition: Condition) -> Condition:
    """Return the condition that a cell has a value which does not meet another one."""
    return lambda column: ~condition(column) & ~is_missing(column)


def _meaning(kind: str) -> str:
    return _MEANINGS.get(COLUMN_TYPES[kind], _NUMBERS)


def _unfit(value: object, meaning: str, where: str) -> ConfigError:
    remedy = "correct it, or say in data.columns what the column is"
    return ConfigError(f"found {value!r}, and the column has {meaning}", where=where, remedy=remedy)


def _as_scalar(operator: str, limit: float | str, kind: pa.DataType) -> pa.Scalar:
    """Return a limit in the column's own precision: a whole number of 64 bits may have no equal real one."""
    if isinstance(limit, str):
        return pa.scalar(limit)
    if pa.types.is_floating(kind):
        return pa.scalar(float(limit), kind)
    whole = math.ceil(limit) if operator in ("<", ">=") else math.floor(limit)
    return pa.scalar(min(max(whole, _LEAST_WHOLE), _LARGEST_WHOLE), pa.int64())


def _parse_time(text: str, where: str) -> np.datetime64:
    wrong = ConfigError(
        f"found {text!r}, and the column has times",
        where=where,
        remedy="write a time such as 2024-01-31 or 2024-01-31T09:30",
    )
    if (match := _ISO.fullmatch(text.strip())) is None:
        raise wrong
    date, time, sign, hours, minutes = match.groups()
    ahead = int(f"{sign}1") * (60 * int(hours) + int(minutes)) if sign else 0
    try:
        return np.datetime64(date or time, "us") - np.timedelta64(ahead, "m")
    except ValueError as error:  # such as a month 13
        raise wrong from error


def _compare_times(operator: str, column: pa.Array, limit: np.datetime64) -> Mask:
    one, other = _comparable(column, pa.array([limit], pa.timestamp("us")))
    return _filled(_COMPARISONS[operator](one, other[0]))


def _comparable(one: pa.Array, other: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Bring times to one type: instants in UTC, to the nanosecond or the microsecond."""
    if not TIME.is_arrow(one.type):
        if pa.types.is_integer(one.type) != pa.types.is_integer(other.type):  # else Arrow refuses those beyond 2^53
            return one.cast(pa.float64(), safe=False), other.cast(pa.float64(), safe=False)
        return one, other
    return _as_instants(one), _as_instants(other)


def _as_instants(column: pa.Array) -> pa.Array:
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32()).cast(pa.timestamp("s"))
    # a cast drops the zone and keeps the instant; what microseconds do not hold is cut off
    return column.cast(pa.timestamp(column.type.unit)).cast(pa.timestamp("us"), safe=False)


def _filled(found: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(found, False))
