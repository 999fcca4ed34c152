"""Parse lines of the log one by one with Python's reader: counts, and what Arrow's reader refuses or would read with loss."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from components._core.request_log.columns import (
    HASHES,
    INPUTS,
    OUTPUTS,
    SCALARS,
    LogTypes,
    UnequalLengthsError,
    merge_columns,
    merge_types,
)
from components._core.request_log.counts import LogCounts
from components._core.request_log.layout import FORMAT
from components._core.request_log.sampling import LEAST_SHARE
from components._core.types.json_lines import EXACT_IN_DOUBLE
from components._core.types.json_values import LineError, parse_value

_MOST_INT64 = 1 << 63


@dataclass(frozen=True)
class Request:
    """An answered request.

    Attributes:
        scalars: Values by name, as `SCALARS` has them.
        inputs: Values of its rows by feature; None when masked or missing.
        outputs: Values of its rows by output.
        hashes: Hashes of its rows by masked feature.
    """

    scalars: dict[str, Any]
    inputs: dict[str, list[Any] | None]
    outputs: dict[str, list[Any] | None]
    hashes: dict[str, list[Any] | None] = field(default_factory=dict)


def parse_line(line: bytes, counts: LogCounts | None = None) -> Request | None:
    """Parse a line; None for a line of counts, which are added to `counts`.

    Raises:
        LineError: When the line is damaged.
    """
    found = parse_value(line)
    if not isinstance(found, dict):
        raise LineError("not a JSON object")
    written = found.get("log", 1)
    if not isinstance(written, int) or not 1 <= written <= FORMAT:
        raise LineError(f"format {str(written)[:20]}; this version of Naru reads 1 to {FORMAT}: update it")
    if "id" in found:
        return _request(found)
    _add_counts(found, counts or LogCounts())
    return None


def infer_types(requests: Sequence[Request]) -> LogTypes:
    """Infer the types of the values of requests."""
    types = LogTypes()
    for request in requests:
        inputs = {name: _type_of_list(values) for name, values in request.inputs.items()}
        outputs = {name: _type_of_list(values) for name, values in request.outputs.items()}
        types = LogTypes(merge_columns(types.inputs, inputs), merge_columns(types.outputs, outputs))
    return types


def to_batch(request: Request, types: LogTypes, counts: LogCounts) -> pa.RecordBatch:
    """Return a request as a batch of one, as `columns.explode` takes it.

    Raises:
        LineError: When a value is not of its column's type.
    """
    found = {name: pa.array([request.scalars[name]], kind) for name, kind in SCALARS.items()}
    columns = (
        (HASHES, request.hashes, dict.fromkeys(types.hashed, pa.string())),
        (INPUTS, request.inputs, types.inputs),
        (OUTPUTS, request.outputs, types.outputs),
    )
    for prefix, values, kinds in columns:
        for name, kind in kinds.items():
            converted = _convert_list(values.get(name), kind, name, counts)
            found[prefix + name] = pa.array([converted], pa.list_(kind))
    others = [name for name in request.inputs if name not in types.inputs]
    counts.unknown.update(others + [name for name in request.outputs if name not in types.outputs])
    return pa.RecordBatch.from_arrays([*found.values()], names=[*found])


def check_lengths(request: Request) -> None:
    """Check that each feature and output has one value per row.

    Raises:
        UnequalLengthsError: When they differ, or there is none.
    """
    every = (*request.inputs.values(), *request.outputs.values(), *request.hashes.values())
    lengths = {len(values) for values in every if values is not None}
    if len(lengths) != 1:
        raise UnequalLengthsError


def _request(found: dict[str, Any]) -> Request:
    scalars: dict[str, Any] = {
        "id": _text(found, "id"),
        "time": _moment(found),
        "model": _text(found, "model"),
        "version": _text(found, "version"),
        "latency_ms": _number(found, "latency_ms"),
        "share": _share(found),
        "schema": _text(found, "schema", is_required=False),
        "masked": _texts(found, "masked"),
        "source": _text(found, "source", is_required=False),
    }
    hashes = {} if found.get("hashes") is None else _lists(found, "hashes")
    request = Request(scalars, _lists(found, "inputs"), _lists(found, "outputs"), hashes)
    try:
        check_lengths(request)
    except UnequalLengthsError:
        raise LineError("features and outputs have different numbers of values") from None
    return request


def _add_counts(found: dict[str, Any], counts: LogCounts) -> None:
    version = str(found.get("version", ""))
    dropped, refused = found.get("dropped"), found.get("refused")
    is_own = not counts.model or found.get("model", counts.model) == counts.model
    if _is_count(dropped):
        if is_own:
            counts.dropped[version] += int(dropped or 0)
    elif isinstance(refused, dict) and all(map(_is_count, refused.values())):
        for code, count in refused.items() if is_own else ():
            counts.refused[version, code] += count
    else:
        raise LineError("neither an answered request nor a count: no 'id', 'dropped' or 'refused'")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(found: dict[str, Any], name: str, *, is_required: bool = True) -> str | None:
    value = found.get(name)
    if value is None and not is_required:
        return None
    if not isinstance(value, str):
        raise LineError(f"{name!r} is not a text")
    return _encodable(value, name)


def _texts(found: dict[str, Any], name: str) -> list[str]:
    values = found.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise LineError(f"{name!r} is not a list of texts")
    return [_encodable(value, name) for value in values]


def _number(found: dict[str, Any], name: str) -> float | None:
    value = found.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise LineError(f"{name!r} is not a number")
    return value


def _share(found: dict[str, Any]) -> float | None:
    share = _number(found, "share")
    if share is not None and not LEAST_SHARE <= share <= 1:
        raise LineError(f"'share' is {share:g}; allowed: {LEAST_SHARE:g} to 1")
    return share


def _moment(found: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(found["time"])
    except (KeyError, TypeError, ValueError):
        raise LineError("'time' is not a time in ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _lists(found: dict[str, Any], name: str) -> dict[str, list[Any] | None]:
    values = found.get(name)
    if not isinstance(values, dict):
        raise LineError(f"{name!r} is not an object")
    if wrong := next((key for key, value in values.items() if value is not None and not isinstance(value, list)), None):
        raise LineError(f"{name}.{wrong} is not a list")
    return {_encodable(key, name): value for key, value in values.items()}


def _encodable(text: str, name: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, as in "\\ud800"
            raise LineError(f"{name!r}: the text has half of a character") from None
    return text


def _type_of_list(values: list[Any] | None) -> pa.DataType:
    kind = pa.null()
    for value in values or ():
        kind = merge_types(kind, _type_of(value))
    return kind


def _type_of(value: Any) -> pa.DataType:
    if value is None:
        return pa.null()
    if isinstance(value, list):
        return pa.list_(_type_of_list(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return pa.string()
    return pa.int64() if isinstance(value, int) and -_MOST_INT64 <= value < _MOST_INT64 else pa.float64()


def _convert_list(values: list[Any] | None, kind: pa.DataType, name: str, counts: LogCounts) -> list[Any] | None:
    return None if values is None else [_convert(value, kind, name, counts) for value in values]


def _convert(value: Any, kind: pa.DataType, name: str, counts: LogCounts) -> Any:
    if value is None or pa.types.is_null(kind) or (isinstance(value, float) and math.isnan(value)):
        return None
    if pa.types.is_list(kind) and isinstance(value, list):
        return _convert_list(value, kind.value_type, name, counts)
    if pa.types.is_string(kind):
        return _encodable(value if isinstance(value, str) else json.dumps(value), name)
    if not isinstance(value, bool):
        if kind == pa.int64() and _is_int64(value):
            return int(value)
        if kind == pa.float64() and isinstance(value, int | float):
            return _to_double(value, name, counts)
    names = {pa.int64(): "a whole number", pa.float64(): "a number"}
    raise LineError(f"{name!r}: {json.dumps(value)[:80]} is not {names.get(kind, 'a list')}")


def _is_int64(value: Any) -> bool:
    if isinstance(value, float):  # a vector of numbers in a request is read as float64 where one of them is real
        return value.is_integer() and abs(value) <= EXACT_IN_DOUBLE
    return isinstance(value, int) and -_MOST_INT64 <= value < _MOST_INT64


def _to_double(value: float, name: str, counts: LogCounts) -> float:
    try:
        real = float(value)
    except OverflowError:
        raise LineError(f"{name!r}: the number is too large") from None
    if isinstance(value, int) and int(real) != value:
        counts.rounded += 1
    return real
