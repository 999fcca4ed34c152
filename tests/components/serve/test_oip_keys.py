"""A key that occurs twice, or that nothing would be done with, is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components._predictor.refusals import Refusal
from components.serve.oip_keys import check_keys

INPUT = '{"name": "a", "shape": [1], "datatype": "BYTES", "parameters": {"content_type": "str"}, "data": ["x"]}'
BODY = (
    f'{{"id": "i", "inputs": [{INPUT}, {INPUT}], "outputs": [{{"name": "p", "parameters": {{}}}}], "parameters": {{}}}}'
)


def check(body: str) -> None:
    check_keys(body.encode(), json.loads(body), {"model_name": "tiny", "model_version": "3"})


def test_what_the_protocol_has_passes() -> None:
    check(BODY)
    check('{"inputs": [], "outputs": null, "more": null}')  # null says that there is nothing
    check('{"rows": 1, "inputs": {}}')
    check('{"inputs": [7, null, []], "outputs": {}}')  # MLServer reports these
    check('{"inputs": [], "model_name": "tiny", "model_version": "3"}')
    check('{"inputs": [], "model_name": "tiny", "model_version": ""}')  # as over gRPC, where an empty one names none


@pytest.mark.parametrize(
    ("found", "change", "message"),
    [
        ('"id": "i"', '"id": "i", "id": "j"', "wrong_shape: key 'id' occurs twice in the request"),
        ('"id": "i"', '"id": "i", "inputs": []', "wrong_shape: key 'inputs' occurs twice in the request"),
        ('"data": ["x"]', '"data": ["x"], "data": ["y"]', "wrong_shape: key 'data' occurs twice in inputs[0]"),
        ('"data": ["x"]', '"data": ["x"], "d\\u0061ta": ["y"]', "wrong_shape: key 'data' occurs twice in inputs[0]"),
        ('"name": "p"', '"name": "p", "name": "q"', "wrong_shape: key 'name' occurs twice in outputs[0]"),
        (
            '{"content_type": "str"}',
            '{"content_type": "base64", "content_type": "str"}',
            "wrong_shape: key 'content_type' occurs twice in the parameters of inputs[0]",
        ),
        ('"parameters": {}}', '"parameters": {"x": 1, "x": 2}}', "wrong_shape: key 'x' occurs twice in the parameters of outputs[0]"),
        ('"data": ["x"]', '"data": ["x"], "content_type": "base64"', "bad_parameter: key 'content_type' of inputs[0] is not supported"),
        ('"data": ["x"]', '"data": ["x"], "contents": {}', "bad_parameter: key 'contents' of inputs[0] is not supported"),
        ('"id": "i"', '"output": []', "bad_parameter: key 'output' of the request is not supported; allowed: id, inputs, outputs, parameters"),
        ('"id": "i"', '"raw_input_contents": ["eA=="]', "bad_parameter: key 'raw_input_contents' of the request"),
        ('"id": "i"', '"model_version": "4"', "bad_parameter: key 'model_version' of the request is not supported"),
        ('"id": "i"', f'"{"k" * 9_000}": 1', "bad_parameter: key 'kkkk"),
    ],
)  # fmt: skip
def test_others_are_refused(found: str, change: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(BODY.replace(found, change, 1))
    assert str(caught.value).startswith(message) and len(str(caught.value)) < 300


def test_each_input_is_looked_at_and_many_keys_take_no_time() -> None:
    inputs: Any = [{"name": "a"}] * 999
    body = json.dumps({"inputs": inputs})[:-2] + ', {"name": "a", "name": "b"}]}'
    with pytest.raises(Refusal, match=r"occurs twice in inputs\[999\]"):
        check(body)
    with pytest.raises(Refusal, match="'z' occurs twice"):
        check(
            '{"inputs": [], "parameters": {'
            + "".join(f'"{number}": 0, ' for number in range(90_000))
            + '"z": 0, "z": 0}}'
        )
