"""Checks the keys of an inference request in JSON (Open Inference Protocol): each once, and none that nothing would be done with.

Readers of JSON keep the last of two equal keys, and MLServer ignores a key that it does not know. Either way the client would get an
answer to something else than it sent: to the other values, or to base64 whose `content_type` stands beside `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import simdjson

from components._core.types.texts import shorten
from components._predictor.refusals import Refusal

_REQUEST = frozenset({"id", "parameters", "inputs", "outputs"})
_TENSOR = frozenset({"name", "shape", "datatype", "parameters", "data"})


def check_keys(body: bytes, record: dict[str, Any], model: Mapping[str, str]) -> None:
    """Refuse a request with a key that occurs twice or is not supported.

    Args:
        body: The body.
        record: The same, parsed, whose equal keys are one.
        model: `model_name` and `model_version` of the model, which some clients repeat from the path.

    Raises:
        Refusal: `wrong_shape` or `bad_parameter`, with the key and its place.
    """
    if not isinstance(record.get("inputs"), list):
        return  # no request at all, as MLServer reports
    for place, value, known in _objects(record):
        for key in value:
            if value is record and key in model and value[key] in (model[key], ""):  # an empty one names none
                continue
            if key not in known and value[key] is not None:
                allowed = ", ".join(sorted(known))
                raise Refusal("bad_parameter", f"key {shorten(key)!r} of {place} is not supported; allowed: {allowed}")
    try:
        for place, found in _parsed_objects(simdjson.Parser().parse(body)):
            _check_unique(place, list(found.keys()))
    except (ValueError, RuntimeError):
        return  # not JSON to this reader, or a text that is no Unicode: MLServer reports where


def _objects(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], frozenset[str]]]:
    yield "the request", record, _REQUEST
    for name in ("inputs", "outputs"):
        tensors = record.get(name)
        for place, tensor in enumerate(tensors if isinstance(tensors, list) else ()):
            if isinstance(tensor, dict):
                yield f"{name}[{place}]", tensor, _TENSOR


def _parsed_objects(record: Any) -> Iterator[tuple[str, Any]]:
    yield "the request", record
    yield from _parameters("the request", record)
    for name in ("inputs", "outputs"):
        tensors = record.get(name)
        for place, tensor in enumerate(tensors if type(tensors) is simdjson.Array else ()):
            if type(tensor) is simdjson.Object:
                yield f"{name}[{place}]", tensor
                yield from _parameters(f"{name}[{place}]", tensor)


def _parameters(place: str, holder: Any) -> Iterator[tuple[str, Any]]:
    found = holder.get("parameters")
    if type(found) is simdjson.Object:
        yield f"the parameters of {place}", found


def _check_unique(place: str, keys: list[str]) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise Refusal("wrong_shape", f"key {shorten(key)!r} occurs twice in {place}")
        seen.add(key)
