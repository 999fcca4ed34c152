"""Parameters of the Open Inference Protocol: supports a few, and refuses all others by name.

With `content_type`, clients of MLServer say what their values stand for. Texts (`str`), numbers (`np`) and columns (`pd`) need no
conversion; `base64` is decoded. No model here takes any other kind (a date, an image, a pickle), so it is refused: taken as
sent, it would be one more unknown category.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any

from components._predictor.refusals import Refusal

CONTENT_TYPE = "content_type"
_OF_A_REQUEST = frozenset({"pd", "np", "str"})
_OF_AN_INPUT = frozenset({"np", "str", "base64"})
_OF_AN_OUTPUT = frozenset({"np", "str"})
_SHOWN = 60


def check_request(parameters: Mapping[str, Any] | None) -> None:
    """Refuse parameters of a whole request that are not supported.

    Raises:
        Refusal: `bad_parameter`, with the name.
    """
    _check(parameters, "the request", _OF_A_REQUEST)


def check_output(name: str, parameters: Mapping[str, Any] | None, outputs: Collection[str]) -> None:
    """Refuse an output that the model does not have, or whose parameters are not supported.

    Raises:
        Refusal: `bad_parameter`, with the name.
    """
    if name not in outputs:
        raise Refusal("bad_parameter", f"unknown output {_cut(name)!r}; this model has {', '.join(outputs)}")
    _check(parameters, f"output {name!r}", _OF_AN_OUTPUT)


def decode_input(name: str, datatype: str, parameters: Mapping[str, Any] | None, values: Any) -> Any:
    """Return the values of an input, decoded as its parameters say.

    Raises:
        Refusal: `bad_parameter`, with the name of the input, and of the parameter or the row.
    """
    kind = _check(parameters, f"input {_cut(name)!r}", _OF_AN_INPUT)
    if kind in ("str", "base64") and datatype != "BYTES":
        message = f"input {_cut(name)!r}: content_type {kind!r} requires datatype BYTES, not {datatype}"
        raise Refusal("bad_parameter", message)
    if kind != "base64" or not isinstance(values, list):
        return values
    return [_decode(name, row, value) for row, value in enumerate(values)]


def _check(parameters: Mapping[str, Any] | None, where: str, kinds: Collection[str]) -> str | None:
    """Check parameters; return the content type, if there is one."""
    for name, value in (parameters or {}).items():
        if value is None or (name == "binary_data" and value is False):
            continue  # null means no value; and Triton's client sends `binary_data: false`, which is what is done anyway
        if name != CONTENT_TYPE:
            raise Refusal(
                "bad_parameter", f"parameter {_cut(name)!r} of {where} is not supported; allowed: content_type"
            )
        if not isinstance(value, str) or value not in kinds:
            message = (
                f"content_type {_cut(str(value))!r} of {where} is not supported; allowed: {', '.join(sorted(kinds))}"
            )
            raise Refusal("bad_parameter", message)
    kind: str | None = (parameters or {}).get(CONTENT_TYPE)
    return kind


def _decode(name: str, row: int, value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:  # of shape [rows, 1]
        return [_decode(name, row, value[0])]
    if not isinstance(value, str | bytes):
        return value  # null, or a value that is refused later because it is not a text
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("bad_parameter", f"input {_cut(name)!r}, row {row}: the value is not base64") from None


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
