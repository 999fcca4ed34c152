"""Parameters: honoured, or refused by name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components._predictor.refusals import Refusal
from components.serve.oip_parameters import check_output, check_request, decode_input


def test_base64_is_undone() -> None:
    for values in (["Um9tZQ==", None, "7Jq4"], [[b"Um9tZQ=="], [None], ["7Jq4"]]):
        decoded = decode_input("city", "BYTES", {"content_type": "base64"}, values)
        flat = [value[0] if isinstance(value, list) else value for value in decoded]
        assert flat == [b"Rome", None, "울".encode()]


@pytest.mark.parametrize("text", ["Um9tZQ=", "Rome!", "Um9t ZQ==", "Um9tZQ", "로마"])
def test_what_is_not_base64_is_refused_with_its_row(text: str) -> None:
    with pytest.raises(Refusal, match="bad_parameter: input 'city', row 1: the value is not base64"):
        decode_input("city", "BYTES", {"content_type": "base64"}, ["Um9tZQ==", text])


@pytest.mark.parametrize(("kind", "datatype"), [("str", "BYTES"), ("np", "BYTES"), ("np", "FP64"), (None, "INT64")])
def test_kinds_that_values_are_anyway_change_nothing(kind: str | None, datatype: str) -> None:
    assert decode_input("a", datatype, {"content_type": kind}, ["Um9tZQ=="]) == ["Um9tZQ=="]
    assert decode_input("a", datatype, None, [1]) == [1]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        *(
            ({"content_type": kind}, f"content_type '{kind}' of input 'a'")
            for kind in ("datetime", "pd", "hf", "hf_json")
        ),
        *(
            ({"content_type": kind}, f"content_type '{kind}' of input 'a'")
            for kind in ("pilimage", "pickle", "", "STR")
        ),
        ({"content_type": "str", "max_length": 3}, "parameter 'max_length' of input 'a' is not supported"),
        ({"binary_data_size": 3}, "parameter 'binary_data_size' of input 'a' is not supported"),
        ({"headers": {"a": "b"}}, "parameter 'headers' of input 'a' is not supported"),
        ({"content_type": 7}, "content_type '7' of input 'a'"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=re.escape(message)) as caught:
        decode_input("a", "BYTES", parameters, ["x"])
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["str", "base64"])
def test_a_kind_of_text_does_not_go_with_numbers(kind: str) -> None:
    with pytest.raises(Refusal, match=f"content_type '{kind}' requires datatype BYTES, not INT64"):
        decode_input("a", "INT64", {"content_type": kind}, [1])


def test_parameters_of_a_request_and_of_outputs_are_held_to_the_same() -> None:
    for kind in ("pd", "np", "str", None):
        check_request({"content_type": kind})
    for parameters in ({"content_type": "base64"}, {"priority": 1}, {"sequence_id": "7"}, {"timeout": 5}):
        with pytest.raises(Refusal, match=r"bad_parameter.* of the request"):
            check_request(parameters)
    check_output("class", {"content_type": "str"}, ["class"])
    for name, message in (
        ("class", "of output 'class'"),
        ("clas", "unknown output 'clas'; this model has class"),
    ):
        with pytest.raises(Refusal, match=message):
            check_output(name, {"classification": 3}, ["class"])
