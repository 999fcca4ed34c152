"""Messages of Seldon's protocol are read from their bytes as protobuf itself reads them, with bounds."""

from __future__ import annotations

import random
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format, struct_pb2

from components.serve.seldon_protobuf import NotAMessage, read_feedback, read_message
from tests.components.serve.conformance.seldon_messages import Feedback, SeldonMessage

VALUES: list[Any] = [
    1.0,
    -0.0,
    1e300,
    "",
    "é\u200b",
    True,
    False,
    None,
    [],
    {},
    [1.0, None, "x"],
    {"a": [1.0]},
    [[1.0], [2.0, 3.0]],
]
FORMS: dict[str, Any] = {
    "columns": {"jsonData": {"x": [1.0, 2.0, 3.0], "y": ["a", "b", "c"], "z": [None, True, 0.5]}},
    "one row": {"jsonData": {"x": 1.0, "y": "a"}},
    "rows": {"jsonData": [{"x": 1.0, "y": "a"}, {"x": 2.0, "y": None}]},
    "a table": {"data": {"names": ["x", "y"], "ndarray": [[1.0, "a"], [2.0, "b"]]}},
    "a table of numbers": {"data": {"names": ["x", "y"], "ndarray": [[1.0, 2.0], [3.0, 4.0]]}},
    "a table without rows": {"data": {"names": ["x"], "ndarray": []}},
    "nothing": {},
    "every kind of value": {"jsonData": {str(place): value for place, value in enumerate(VALUES)}},
    "a text": {"jsonData": "text"},
    "null": {"jsonData": None},
}


def written(form: dict[str, Any], puid: str = "") -> bytes:
    message = SeldonMessage()
    if puid:
        message.meta.puid = puid
    if "jsonData" in form:
        json_format.ParseDict(form["jsonData"], message.jsonData)
    if "data" in form:
        message.data.names.extend(form["data"]["names"])
        message.data.ndarray.SetInParent()
        message.data.ndarray.extend(form["data"]["ndarray"])
    return bytes(message.SerializeToString())


def read(content: bytes, values: int = 1_000, depth: int = 32) -> dict[str, Any]:
    return read_message(content, values, depth)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_as_its_json(form: str) -> None:
    assert read(written(FORMS[form], "mine")) == {"meta": {"puid": "mine"}, **FORMS[form]}
    assert read(written(FORMS[form])) == FORMS[form]


def test_a_column_of_numbers_is_read_as_it_is() -> None:
    values = [float(number) / 7 for number in range(1_000)]
    assert read(written({"jsonData": {"x": values}}), 1_010)["jsonData"]["x"] == values


def test_more_values_than_allowed_are_refused_whatever_their_form() -> None:
    for form in (
        {"x": [1.0] * 100},
        {"x": ["a"] * 100},
        [{"x": 1.0}] * 100,
        [[]] * 100,
        {str(at): 1.0 for at in range(100)},
    ):
        content = written({"jsonData": form})
        with pytest.raises(NotAMessage, match="more than 99 values"):
            read(content, 99)
        assert read(content, 300)["jsonData"] == form
    with pytest.raises(NotAMessage, match="more than 99 values"):
        read(written({"data": {"names": ["a"] * 100, "ndarray": []}}), 99)


@pytest.mark.parametrize("depth", [33, 300, 30_000])
def test_values_too_deep_are_refused_without_going_there(depth: int) -> None:
    content = b"\x1a\x00"
    for _ in range(depth):
        inner = b"\x0a" + _length(content) + content
        content = b"\x32" + _length(inner) + inner
    with pytest.raises(NotAMessage, match="deeper"):
        read(b"\x32" + _length(content) + content, 100_000)


def _length(content: bytes) -> bytes:
    left, written_ = len(content), b""
    while left >= 0x80:
        written_, left = written_ + bytes([left & 0x7F | 0x80]), left >> 7
    return written_ + bytes([left])


def test_a_message_that_is_cut_off_or_changed_is_read_as_protobuf_does_or_refused() -> None:
    dice = random.Random(7)
    whole = written(FORMS["every kind of value"], "mine")
    for at in range(1, len(whole)):
        changed = bytearray(whole)
        changed[at] = dice.randrange(256)
        for content in (whole[:at], bytes(changed)):
            try:
                read(content)
            except NotAMessage:
                continue
    with pytest.raises(NotAMessage, match="damaged"):
        read(whole[:-1])
    with pytest.raises(NotAMessage, match="UTF-8"):
        read(b"\x32\x04\x1a\x02\xff\xfe")


def test_other_fields_are_skipped() -> None:
    unknown = b"\x78\x05" + b"\x7d\x00\x00\x00\x00" + b"\x79" + bytes(8) + b"\x7a\x02ab" + b"\x0a\x02\x08\x01"
    assert read(unknown + written(FORMS["rows"]) + unknown) == FORMS["rows"]
    tensor = b"\x1a\x05\x12\x03\x0a\x01\x02"
    assert read(tensor) == {"data": {"names": []}}


def test_a_large_message_is_read_quickly() -> None:
    content = written({"jsonData": {"x": ["a"] * 50_000, "y": [1.0] * 50_000}})
    started = time.process_time()
    read(content, 200_000)
    assert time.process_time() - started < 3


def test_protobuf_agrees_on_one_value_of_each_kind() -> None:
    for value in VALUES:
        content = written({"jsonData": {"x": value}})
        parsed = struct_pb2.Value.FromString(SeldonMessage.FromString(content).jsonData.SerializeToString())
        assert json_format.MessageToDict(parsed) == read(content)["jsonData"]


def feedback(truth: Any = None, response: str = "", request: str = "", row: float | None = None) -> Any:
    """A `Feedback` message; a list of numbers that is no JSON is a tensor."""
    message = Feedback(reward=1.0)
    for name, puid in (("response", response), ("request", request)):
        if puid:
            getattr(message, name).meta.puid = puid
    if truth is not None:
        json_format.ParseDict(truth, message.truth)
    if row is not None:
        message.truth.meta.tags.add(key="row").value.number_value = row
    return message


TRUTHS: dict[str, dict[str, Any]] = {
    "a list": {"data": {"ndarray": [1.0, None, 0.0]}},
    "rows of one": {"data": {"ndarray": [["late"], ["on time"]]}},
    "a tensor": {"data": {"tensor": {"shape": [3], "values": [1.0, 0.0, 0.5]}}},
    "json": {"jsonData": [1.0, "late", None]},
    "one text": {"strData": "late"},
}


@pytest.mark.parametrize("form", TRUTHS)
def test_labels_are_read_as_their_json_says_with_the_answers_id_and_row(form: str) -> None:
    content = feedback(TRUTHS[form], response="a", request="b", row=2).SerializeToString()
    found = read_feedback(content, 1_000, 32)
    assert (found["response"], found["request"]) == ({"meta": {"puid": "a"}}, {"meta": {"puid": "b"}})
    truth = found["truth"]
    assert truth.pop("meta") == {"tags": {"row": 2.0}}
    if "tensor" in truth.get("data", {}):
        assert truth["data"] == TRUTHS[form]["data"]
    elif "data" in truth:
        assert truth["data"]["ndarray"] == TRUTHS[form]["data"]["ndarray"]
    else:
        assert truth == TRUTHS[form]


def test_a_tensor_has_its_shape_packed_or_not_and_no_endless_one() -> None:
    def truth(shape: bytes) -> Any:
        tensor = shape + field(2, np.array([1.0, 0.0], "<f8").tobytes())
        return read_feedback(field(4, field(3, field(2, tensor))), 1_000, 32)["truth"]["data"]["tensor"]

    assert truth(field(1, b"\x02\x01")) == truth(b"\x08\x02\x08\x01") == {"shape": [2, 1], "values": [1.0, 0.0]}
    assert truth(b"") == {"values": [1.0, 0.0]}
    for shape, message in ((field(1, b"\x80"), "damaged"), (field(1, b"\x01" * 2_000), "too many dimensions")):
        with pytest.raises(NotAMessage, match=message):
            truth(shape)


def test_a_feedback_message_without_labels_or_ids_has_neither() -> None:
    assert read_feedback(feedback().SerializeToString(), 1_000, 32) == {}


def test_more_labels_than_allowed_and_damaged_messages_are_refused() -> None:
    for truth in (TRUTHS["a list"], TRUTHS["a tensor"]):
        with pytest.raises(NotAMessage, match="more than 2 values"):
            read_feedback(feedback(truth).SerializeToString(), 2, 32)
    whole = feedback(TRUTHS["json"], response="a").SerializeToString()
    for length in range(1, len(whole)):
        try:
            read_feedback(whole[:length], 1_000, 32)
        except NotAMessage:
            continue


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _length(content) + content


SKIPPED = b"\x78\x01"
IDLE = {
    "fields that it does not know": SKIPPED,
    "ids": field(2, b"\x0a\x00" * 2_000_000),
    "metas": b"\x12\x00",
    "forms": b"\x22\x00",
    "kinds of one value": field(6, b"\x08\x00" * 2_000_000),
    "fields in a list": field(6, field(6, b"\x10\x01" * 2_000_000)),
    "fields in a table": field(3, b"\x20\x01" * 2_000_000),
    "keys of an entry": field(6, field(5, field(1, b"\x0a\x00" * 2_000_000))),
}


@pytest.mark.parametrize("what", IDLE)
def test_fields_that_make_no_value_are_bounded_too(what: str) -> None:
    content = IDLE[what] if len(IDLE[what]) > 2 else IDLE[what] * 2_000_000
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(NotAMessage, match="more than 1000 values"):
        read(content + written(FORMS["rows"]))
    assert time.process_time() - started < 1 and tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_key_that_occurs_twice_is_refused() -> None:
    entry = field(1, field(1, b"x") + field(2, b"\x11" + bytes(8)))
    with pytest.raises(NotAMessage, match="key 'x' occurs twice"):
        read(field(6, field(5, entry * 2)))
