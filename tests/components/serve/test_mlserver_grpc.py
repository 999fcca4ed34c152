"""gRPC of the v2 server, message by message, against a admission and a runtime without a model."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Any

import grpc
import numpy as np
import pytest
from mlserver.grpc import dataplane_pb2 as pb

from components._core.types.feature_types import INT64, STRING
from components.serve.admission import AdmissionControl
from components.serve.limits import Limits
from components.serve.live_test.contract import Answer
from components.serve.mlserver_grpc import GrpcFastPath
from components.serve.mlserver_runtime import NaruRuntime
from components.serve.oip_bounds import Bounds

LIMITS = Limits(rows=5, inputs=4, name_bytes=16, id_bytes=8, text_bytes=64, body_bytes=2_000)


class Aborted(Exception):
    """How gRPC ends a call."""


class Context:
    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise Aborted(f"{code.name} {details}")


class Runtime:
    """Answers with what it was sent."""

    def __init__(self) -> None:
        self.admission, self.bounds = AdmissionControl(), Bounds(LIMITS, 2)
        self.seen: dict[str, Any] = {}
        self._types = {"age": INT64, "city": STRING}
        self._unused: frozenset[str] = frozenset()

    def choose(self, wanted: list[Any]) -> Any:
        return lambda outputs: {name: values for name, values in outputs.items() if not wanted or name in dict(wanted)}

    async def answer(self, request_id: str, tensors: Any, *, is_open: bool) -> Answer:
        self.seen, self.is_open = NaruRuntime._columns(self, tensors), is_open  # type: ignore[arg-type]
        return Answer(
            {"class": np.array(["no", "yes"], dtype=object), "probability": np.array([0.25, 0.75], np.float32)}
        )


def ask(message: Any) -> tuple[Runtime, Any]:
    runtime = Runtime()
    fast_path = GrpcFastPath("tiny", "3", LIMITS)
    fast_path.open(runtime)  # type: ignore[arg-type]

    async def otherwise(message: Any, context: Any) -> bytes:
        return b"otherwise"

    content = message if isinstance(message, bytes) else message.SerializeToString()
    answer = asyncio.run(fast_path.infer(content, Context(), otherwise))
    return runtime, answer if answer == b"otherwise" else pb.ModelInferResponse.FromString(answer)


def message(raw: bool = False, ages: tuple[int, ...] = (30, 40), **more: Any) -> Any:
    found = pb.ModelInferRequest(model_name="tiny", **more)
    age = found.inputs.add(name="age", datatype="INT64", shape=[len(ages)])
    city = found.inputs.add(name="city", datatype="BYTES", shape=[len(ages)])
    if raw:
        found.raw_input_contents.append(struct.pack(f"<{len(ages)}q", *ages))
        found.raw_input_contents.append(b"\x04\0\0\0Rome" * len(ages))
    else:
        age.contents.int64_contents.extend(ages)
        city.contents.bytes_contents.extend([b"Rome"] * len(ages))
    return found


@pytest.mark.parametrize("raw", [False, True])
def test_a_request_is_read_and_answered_as_it_was_sent(raw: bool) -> None:
    runtime, answer = ask(message(raw, id="mine"))
    assert list(runtime.seen["age"]) == [30, 40] and list(runtime.seen["city"]) == [b"Rome", b"Rome"]
    assert (answer.model_name, answer.model_version, answer.id) == ("tiny", "3", "mine")
    label, probability = answer.outputs
    assert (label.name, label.datatype, list(label.shape)) == ("class", "BYTES", [2])
    if raw:
        assert list(answer.raw_output_contents) == [b"\x02\0\0\0no\x03\0\0\0yes", struct.pack("<2f", 0.25, 0.75)]
    else:
        assert list(label.contents.bytes_contents) == [b"no", b"yes"]
        assert list(probability.contents.fp32_contents) == [0.25, 0.75]


def changed(change: str, raw: bool = False) -> Any:
    found = message(raw)
    exec(change, {"m": found, "struct": struct})
    return found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("m.raw_input_contents[0] = b'123'", "'age', raw: 3 bytes, but 2 values of INT64 have 16"),
        ("m.raw_input_contents[0] += b'1'", "'age', raw: 17 bytes"),
        ("m.raw_input_contents[0] = b''", "'age', raw: 0 bytes"),
        ("m.raw_input_contents[1] = b'\\x05\\0\\0\\0Rome'", "'city', raw: text 0 is longer than the rest of the data"),
        ("m.raw_input_contents[1] = b'\\x04\\0'", "'city', raw: text 0 is longer"),
        ("m.raw_input_contents[1] = b'\\x04\\0\\0\\0Rome'", "'city', raw: 1 texts for 2 values"),
        ("m.raw_input_contents[1] += b'\\x04\\0\\0\\0Rome'", "'city', raw: more than 2 texts for 2 values"),
        ("del m.raw_input_contents[1]", "1 raw_input_contents for 2 inputs"),
        ("m.raw_input_contents.append(b'')", "3 raw_input_contents for 2 inputs"),
        ("m.inputs[0].contents.int64_contents.append(1)", "'age' has contents and raw_input_contents"),
        ("m.inputs[0].shape[0] = -2", "'age' has shape [-2]; a number of rows is not negative"),
        ("m.inputs[0].shape[0] = 2**62", "too_many_rows"),
        (
            "m.inputs[0].shape.append(2**62)",
            "'age' has shape [2, 4611686018427387904]; allowed are [rows] and [rows, 1]",
        ),
        ("m.inputs[1].shape.extend([2**62] * 9)", "'city' has shape [2, 4611686018427387904, "),
        ("m.inputs[1].shape.extend([2**62] * 100_000); m.inputs[1].shape[0] = 1", "too_large"),
        ("del m.inputs[0].shape[:]", "'age' has shape []"),
        ("m.inputs[0].datatype = 'FLOAT'", "'FLOAT' is not a datatype"),
        ("m.inputs[0].datatype = 'INT32'", "'age', raw: 16 bytes, but 2 values of INT32 have 8"),
        ("m.inputs[0].datatype = 'BYTES'", "'age', raw: "),
    ],
)
def test_malformed_raw_contents_are_refused_in_our_words(change: str, expected: str) -> None:
    with pytest.raises(Aborted) as caught:
        ask(changed(change, raw=True))
    assert str(caught.value).startswith("INVALID_ARGUMENT ") and expected in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("m.inputs[0].contents.fp32_contents.append(1)", "sent as INT64 with fp32_contents; allowed: int64_contents"),
        ("m.inputs[0].contents.int64_contents.extend([1] * 9)", "too_many_rows: 11 rows"),
        ("m.inputs[0].name = 'x' * 17", "over_limit: the name"),
        ("m.inputs[1].contents.bytes_contents[1] = b'x' * 65", "over_limit: 'city', row 1"),
        ("m.id = 'x' * 9", "over_limit: the id"),
        ("[m.inputs.add(name='x') for _ in range(3)]", "over_limit: 5 inputs"),
        ("m.parameters['timeout'].int64_param = 1", "parameter 'timeout' of the request"),
        ("m.parameters['headers'].string_param = 'x'", "parameter 'headers' of the request"),
        ("m.inputs[1].parameters['content_type'].string_param = 'datetime'", "content_type 'datetime' of input 'city'"),
        ("m.inputs[1].parameters['content_type'].string_param = 'base64'", ""),
        ("m.id = ''; m.inputs[1].contents.bytes_contents.append(b'x' * 2000)", "too_large: the message has"),
    ],
)
def test_what_is_over_a_bound_or_not_honoured_is_an_invalid_argument(change: str, expected: str) -> None:
    if not expected:
        runtime, _ = ask(changed(change))
        assert runtime.seen["city"] == 2 * [base64.b64decode("Rome")]
        return
    with pytest.raises(Aborted) as caught:
        ask(changed(change))
    assert str(caught.value).startswith("INVALID_ARGUMENT ") and expected in str(caught.value)


def test_an_invalid_message_is_refused_and_another_model_is_left_to_the_server() -> None:
    with pytest.raises(Aborted, match="INVALID_ARGUMENT wrong_shape: the message is not a ModelInferRequest"):
        ask(b"\xff\xff")
    other = message()
    other.model_name = "other"
    assert ask(other)[1] == b"otherwise"


def test_chosen_outputs_are_the_only_ones() -> None:
    wanted = message()
    wanted.outputs.add(name="probability")
    assert [output.name for output in ask(wanted)[1].outputs] == ["probability"]


def test_too_many_chosen_outputs_are_refused() -> None:
    wanted = message()
    for _ in range(5):
        wanted.outputs.add(name="probability")
    with pytest.raises(Aborted, match="over_limit: 5 outputs"):
        ask(wanted)


def test_a_request_for_another_model_passes_without_its_values() -> None:
    other = message()
    other.model_name = "other"
    passed = []

    async def otherwise(given: Any, context: Any) -> bytes:
        passed.append(given)
        return b""

    fast_path = GrpcFastPath("tiny", "3", LIMITS)
    for is_loaded in (False, True):
        if is_loaded:
            fast_path.open(Runtime())  # type: ignore[arg-type]
        asyncio.run(fast_path.infer(other.SerializeToString(), Context(), otherwise))
    assert [(each.model_name, len(each.inputs)) for each in passed] == 2 * [("other", 0)]
    other.model_name = "x" * 17
    with pytest.raises(Aborted, match="over_limit: the name"):
        asyncio.run(fast_path.infer(other.SerializeToString(), Context(), otherwise))
