"""Plain inference requests of the Open Inference Protocol (V2), read from JSON and written to it without a schema library.

Plain is what nearly every client sends: an id or none, and inputs of name, shape, datatype and a list of data. Whatever else
the protocol allows, and whatever it forbids, is left to who reads all of it, and says what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import orjson
import simdjson

from components._core.types.oip_requests import output_datatype
from components.serve.oip_bounds import Bounds, is_longer

_REQUEST = frozenset({"id", "inputs"})
_INPUT = frozenset({"name", "shape", "datatype", "data"})
_DATATYPES = frozenset("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES".split())

_NUMBERS = {"INT8": "i", "INT16": "i", "INT32": "i", "INT64": "i", "FP32": "d", "FP64": "d"}
_DTYPES = {"i": np.int64, "d": np.float64}
Values = list[Any] | np.ndarray[Any, Any]


class Tensor(NamedTuple):
    """One input as it was sent.

    Attributes:
        name: Of the feature, if the client is right.
        datatype: As the protocol names it.
        shape: As the client says it.
        data: A list, if the client is right; or numbers only, as int64 or float64, if it was read the short way.
    """

    name: str
    datatype: str
    shape: list[int]
    data: Any


def read_plain(body: bytes, bounds: Bounds) -> tuple[str, list[Tensor]] | None:
    """The id (empty: none) and the inputs of a request; None when it is not plain.

    Raises:
        Refusal: When it is plain and over a bound; before any array is made.
    """
    try:
        told = simdjson.Parser().parse(body)
        if type(told) is not simdjson.Object or not _are_keys(told, _REQUEST):
            return None
        request_id, inputs = told.get("id"), told.get("inputs")
        if (request_id is not None and type(request_id) is not str) or type(inputs) is not simdjson.Array:
            return None
        bounds.check_id(request_id)
        bounds.check_count(len(inputs))
        # the list of inputs, and of each input the shape and the data: with more of them a list lies in another
        is_flat = body.count(b"[") == 1 + 2 * len(inputs)
        tensors = [_read_input(item, is_flat, bounds) for item in inputs]
    except (ValueError, RuntimeError):  # no JSON, or too deep
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
    # exact types: True is an int to Python, and the protocol's own reader sees it differently
    if any(type(length) is not int for length in lengths):
        return None
    return Tensor(name, datatype, lengths, _read_data(data, _NUMBERS.get(datatype, "") if is_flat else ""))


def _are_keys(found: Any, allowed: frozenset[str]) -> bool:
    """Whether these are all its keys, none of them twice."""
    keys = list(found.keys())
    return allowed.issuperset(keys) and len(set(keys)) == len(keys)


def _read_data(data: Any, code: str) -> Values:
    """Without an object of Python for each number; if there is anything but numbers, as JSON has it."""
    if code:
        try:
            return np.frombuffer(data.as_buffer(of_type=code), _DTYPES[code])
        except (TypeError, ValueError):
            pass
    values: list[Any] = data.as_list()
    return values


def write_answer(name: str, version: str | None, request_id: str, outputs: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """The answer to a request, as MLServer writes it."""
    head = {"model_name": name, "model_version": version} if version else {"model_name": name}
    written = [_write_output(output, values) for output, values in outputs.items()]
    return orjson.dumps({**head, "id": request_id, "parameters": {}, "outputs": written})


def _write_output(name: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    shape, datatype = list(values.shape), output_datatype(values)
    return {"name": name, "shape": shape, "datatype": datatype, "data": values.ravel().tolist()}
