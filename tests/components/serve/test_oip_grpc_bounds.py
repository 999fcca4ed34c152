"""A message with very many entries is refused from its bytes: protobuf would make objects of hundreds of megabytes of them."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
from mlserver.grpc import dataplane_pb2 as pb

from components._predictor.refusals import Refusal
from components.serve.limits import Limits
from components.serve.oip_grpc_bounds import check_entries

COUNT = 2_000_000


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def entries(number: int) -> bytes:
    return bytes([number << 3 | 2, 0]) * COUNT


NAME = field(1, b"x")
TOO_MANY = {
    "parameters": (entries(4), "over_limit: the message has more than"),
    "inputs": (entries(5), "over_limit: the message has more than"),
    "outputs": (entries(6), "over_limit: the message has more than"),
    "raw contents": (entries(7), "over_limit: the message has more than"),
    "unknown numbers": (b"\x78\x01" * COUNT, "over_limit: the message has more than"),
    "parameters of an input": (field(5, NAME + entries(4)), "over_limit: an input has more than"),
    "contents of an input": (field(5, NAME + entries(5)), "over_limit: an input has more than"),
    "dimensions, packed": (field(5, NAME + field(3, b"\x01" * COUNT)), "wrong_shape: an input has too many dimensions"),
    "dimensions, one by one": (field(5, NAME + b"\x18\x01" * COUNT), "over_limit: an input has more than"),
    "texts": (field(5, NAME + field(5, entries(8))), "too_many_rows: an input has more than 10000 values"),
    "numbers, one by one": (field(5, NAME + field(5, b"\x18\x01" * COUNT)), "too_many_rows: an input has"),
    "groups": (b"\x7b" * COUNT, "wrong_shape: the message is not a ModelInferRequest"),
    "a length beyond the end": (b"\x2a\xff\xff\xff\x7f" + bytes(COUNT), "wrong_shape: the message is not"),
}
TOO_MANY |= {
    f"numbers, packed, of field {number}": (field(5, NAME + field(5, field(number, b"\x01" * COUNT))), "too_many_rows")
    for number in range(1, 8)
}


@pytest.mark.parametrize("what", TOO_MANY)
def test_very_many_entries_are_refused_at_once_and_without_memory(what: str) -> None:
    content, message = TOO_MANY[what]
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(Refusal) as caught:
        check_entries(field(1, b"tiny") + content, Limits())
    assert str(caught.value).startswith(message) and time.process_time() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def largest(raw: bool) -> Any:
    """The largest request that the default limits allow, of its kind."""
    found = pb.ModelInferRequest(model_name="tiny", id="mine")
    for number in range(1_000 if raw else 4):
        given = found.inputs.add(name=f"{number}", datatype="INT64", shape=[10_000, 1])
        given.parameters["content_type"].string_param = "np"
        if raw:
            found.raw_input_contents.append(bytes(100))
        elif number % 2:
            given.contents.int64_contents.extend([-(2**63)] * 10_000)
        else:
            given.contents.bytes_contents.extend([b"some text of a row" * 4] * 10_000)
        found.outputs.add(name="probability")
    return found


@pytest.mark.parametrize("raw", [False, True])
def test_the_largest_allowed_request_passes(raw: bool) -> None:
    check_entries(largest(raw).SerializeToString(), Limits())
    check_entries(b"", Limits())
    check_entries(b"\xff" * 100, Limits())  # short: reading it is cheap, and reports it
