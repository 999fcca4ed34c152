"""Bounds the entries of a gRPC inference request before protobuf reads it: it makes some hundred bytes of an empty input's two."""

from __future__ import annotations

from components._predictor.refusals import Refusal
from components.serve.limits import KIB, Limits
from components.serve.protobuf_wire import BYTES, DamagedMessage, fields

_SMALL_BYTES = 64 * KIB
"""A shorter message takes a few MB at most; the checks after reading report better what is wrong with it."""
_INPUT, _SHAPE, _CONTENTS, _TEXTS = 5, 3, 5, 8  # field numbers: of a request; of an input, twice; of its contents
_LISTS_OF_THE_REQUEST = 4
"""Lists of a request with an entry for each input or output, besides its own few fields."""
_FIELDS_OF_AN_INPUT = 100
"""Name, datatype, shape, contents, and its parameters."""
_SHAPE_BYTES = 1_000
_BYTES_PER_VALUE = 10
"""Bytes of the longest number."""


def check_entries(content: bytes, limits: Limits) -> None:
    """Refuse a message with many more entries than the largest allowed request has.

    Args:
        content: The message.
        limits: Limits of one request.

    Raises:
        Refusal: `over_limit`, `too_many_rows`, or `wrong_shape` when it is not a message.
    """
    if len(content) <= _SMALL_BYTES:
        return
    most = _LISTS_OF_THE_REQUEST * limits.inputs + _FIELDS_OF_AN_INPUT
    try:
        for count, (number, kind, value) in enumerate(fields(memoryview(content)), 1):
            if count > most:
                raise Refusal(
                    "over_limit", f"the message has more than {most} entries; {limits.inputs} inputs are allowed"
                )
            if number == _INPUT and kind == BYTES:
                _check_input(value, limits)
    except DamagedMessage:
        raise not_a_request() from None


def not_a_request() -> Refusal:
    """Make the refusal of bytes that are not a request."""
    return Refusal("wrong_shape", "the message is not a ModelInferRequest")


def _check_input(content: memoryview, limits: Limits) -> None:
    for count, (number, kind, value) in enumerate(fields(content), 1):
        if count > _FIELDS_OF_AN_INPUT:
            message = f"an input has more than {_FIELDS_OF_AN_INPUT} fields; send its values packed, in contents"
            raise Refusal("over_limit", message)
        if kind == BYTES and number == _SHAPE and len(value) > _SHAPE_BYTES:
            raise Refusal("wrong_shape", "an input has too many dimensions; allowed are [rows] and [rows, 1]")
        if kind == BYTES and number == _CONTENTS and len(value) > _BYTES_PER_VALUE * limits.rows:
            _check_contents(value, limits)


def _check_contents(content: memoryview, limits: Limits) -> None:
    for count, (number, kind, value) in enumerate(fields(content), 1):
        is_packed = kind == BYTES and number != _TEXTS
        if count > limits.rows or (is_packed and len(value) > _BYTES_PER_VALUE * limits.rows):
            raise Refusal("too_many_rows", f"an input has more than {limits.rows} values, which is the maximum")
