"""Reads plain inference requests of the Open Inference Protocol (V2) from JSON, and writes answers, without a schema library.

A plain request is what nearly every client sends: an optional id, and inputs of name, shape, datatype and a list of data.
MLServer reads every other request, valid or not, and reports what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import orjson
import simdjson

from components._core.types.oip_requests import output_datatype
from components._core.types.texts import shorten
from components._predictor.refusals import Refusal
from components.serve.oip_bounds import Bounds, is_longer

_REQUEST = frozenset({"id", "inputs"})
_INPUT = frozenset({"name", "shape", "datatype", "data"})
_DATATYPES = frozenset("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES".split())

_NUMBERS = {"INT8": "i", "INT16": "i", "INT32": "i", "INT64": "i", "FP32": "d", "FP64": "d"}
_DTYPES = {"i": np.int64, "d": np.float64}
Values = list[Any] | np.ndarray[Any, Any]
_RANGES = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32)}
_RANGES |= {f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
"""Least and greatest number of a datatype. INT64 is absent: what is beyond it is no number of an int64 feature anyway."""
_SHOWN_DIMENSIONS = 8


class Tensor(NamedTuple):
    """One input as it was sent.

    Attributes:
        name: Name of the input, not yet checked against the model's features.
        datatype: Datatype by the protocol's name.
        shape: Shape as the client sent it.
        data: Values as sent, a list if the request is valid; or an int64 or float64 vector where all are numbers.
    """

    name: str
    datatype: str
    shape: list[int]
    data: Any


def check_shape(name: str, shape: list[Any]) -> None:
    """Refuse a shape other than `[rows]` and `[rows, 1]`, before anything is computed from it.

    Raises:
        Refusal: `wrong_shape`.
    """
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return
    shown = ", ".join(shorten(repr(length)) for length in shape[:_SHOWN_DIMENSIONS])
    more = f", ... ({len(shape)} dimensions)" if len(shape) > _SHOWN_DIMENSIONS else ""
    raise Refusal("wrong_shape", f"{shorten(name)!r} has shape [{shown}{more}]; allowed are [rows] and [rows, 1]")


def check_range(name: str, datatype: str, values: Values) -> None:
    """Refuse whole numbers that their narrow datatype does not have: one of the two must be a mistake.

    Raises:
        Refusal: `wrong_type`, with the row.
    """
    if datatype not in _RANGES or not len(values):
        return
    least, most = _RANGES[datatype]
    if isinstance(values, np.ndarray) and least <= values.min() and values.max() <= most:
        return
    for row, value in enumerate(values):
        if isinstance(value, int | float | np.integer) and not least <= value <= most:
            raise Refusal(
                "wrong_type", f"{name!r}, row {row}: {shorten(repr(value))} is not of its datatype {datatype}"
            )


def read_plain(body: bytes, bounds: Bounds) -> tuple[str, list[Tensor]] | None:
    """Read the id (empty: none) and the inputs of a request; None when it is not plain.

    Raises:
        Refusal: When a plain request is over a limit; before any array is made.
    """
    try:
        record = simdjson.Parser().parse(body)
        if type(record) is not simdjson.Object or not _are_keys(record, _REQUEST):
            return None
        request_id, inputs = record.get("id"), record.get("inputs")
        if (request_id is not None and type(request_id) is not str) or type(inputs) is not simdjson.Array:
            return None
        bounds.check_id(request_id)
        bounds.check_count(len(inputs))
        # one list of inputs, and per input its shape and its data: with more brackets the data is nested
        is_flat = body.count(b"[") == 1 + 2 * len(inputs)
        tensors = [_read_input(item, is_flat, bounds) for item in inputs]
    except (ValueError, RuntimeError):  # invalid JSON, or nested too deep
        return None
    return None if None in tensors else (request_id or "", tensors)  # type: ignore[return-value]


def _read_input(item: Any, is_flat: bool, bounds: Bounds) -> Tensor | None:
    if type(item) is not simdjson.Object or not _are_keys(item, _INPUT) or len(item) != len(_INPUT):
        return None
    name, datatype, shape, data = item["name"], item["datatype"], item["shape"], item["data"]
    if type(name) is not str or type(datatype) is not str or datatype not in _DATATYPES:
        return None
    if type(data) is not simdjson.Array or type(shape) is not simdjson.Array:
        return None
    if is_longer(name, bounds.limits.name_bytes):
        bounds.check_names([name])
    if len(data) > bounds.limits.rows:
        bounds.check_rows(len(data))
    lengths: list[Any] = shape.as_list()
    # exact types: True is an int to Python, and not to MLServer's reader
    if any(type(length) is not int for length in lengths):
        return None
    return Tensor(name, datatype, lengths, _read_data(data, _NUMBERS.get(datatype, "") if is_flat else ""))


def _are_keys(found: Any, allowed: frozenset[str]) -> bool:
    """Whether all its keys are allowed, and none is a duplicate."""
    keys = list(found.keys())
    return allowed.issuperset(keys) and len(set(keys)) == len(keys)


def _read_data(data: Any, code: str) -> Values:
    """Read numbers into a vector, without a Python object each; anything else into a list."""
    if code:
        try:
            return np.frombuffer(data.as_buffer(of_type=code), _DTYPES[code])
        except (TypeError, ValueError):
            pass
    values: list[Any] = data.as_list()
    return values


def write_answer(name: str, version: str | None, request_id: str, outputs: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """Write the answer to a request as MLServer does."""
    head = {"model_name": name, "model_version": version} if version else {"model_name": name}
    written = [_write_output(output, values) for output, values in outputs.items()]
    return orjson.dumps({**head, "id": request_id, "parameters": {}, "outputs": written})


def _write_output(name: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    shape, datatype = list(values.shape), output_datatype(values)
    return {"name": name, "shape": shape, "datatype": datatype, "data": values.ravel().tolist()}
