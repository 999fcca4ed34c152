"""Plain inference requests of the Open Inference Protocol (V2), read from JSON and written to it without a schema library.

Plain is what nearly every client sends: an id or none, and inputs of name, shape, datatype and a list of data. Whatever else
the protocol allows, and whatever it forbids, is left to who reads all of it, and says what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import orjson

_REQUEST = {"id", "inputs"}
_INPUT = {"name", "shape", "datatype", "data"}
_DATATYPES = frozenset("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES".split())


class Tensor(NamedTuple):
    """One input as it was sent.

    Attributes:
        name: Of the feature, if the client is right.
        datatype: As the protocol names it.
        shape: As the client says it.
        data: A list, if the client is right.
    """

    name: str
    datatype: str
    shape: list[int]
    data: Any


def read_plain(body: bytes) -> tuple[str, list[Tensor]] | None:
    """The id (empty: none) and the inputs of a request; None when it is not plain."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(told) is not dict or not told.keys() <= _REQUEST or type(told.get("inputs")) is not list:
        return None
    request_id = told.get("id")
    if request_id is not None and type(request_id) is not str:
        return None
    tensors = [_read_input(item) for item in told["inputs"]]
    return None if None in tensors else (request_id or "", tensors)  # type: ignore[return-value]


def _read_input(item: Any) -> Tensor | None:
    if type(item) is not dict or item.keys() != _INPUT:
        return None
    name, datatype, shape, data = item["name"], item["datatype"], item["shape"], item["data"]
    if type(name) is not str or type(datatype) is not str or datatype not in _DATATYPES or type(data) is not list:
        return None
    # exact types: True is an int to Python, and the protocol's own reader sees it differently
    if type(shape) is not list or any(type(length) is not int for length in shape):
        return None
    return Tensor(name, datatype, shape, data)


def write_answer(name: str, version: str | None, request_id: str, outputs: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """The answer to a request, as MLServer writes it."""
    head = {"model_name": name, "model_version": version} if version else {"model_name": name}
    written = [_write_output(output, values) for output, values in outputs.items()]
    return orjson.dumps({**head, "id": request_id, "parameters": {}, "outputs": written})


def _write_output(name: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    datatype = "BYTES" if values.dtype == object else "FP32"
    return {"name": name, "shape": list(values.shape), "datatype": datatype, "data": values.ravel().tolist()}
