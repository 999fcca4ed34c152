"""The bounds on a request, before its values become objects."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from components._core.types.signature import Feature
from components._predictor.feature_values import cast_columns
from components._predictor.refusals import Refusal
from components.serve.limits import Limits
from components.serve.oip_bounds import Bounds, is_longer
from components.serve.oip_json import read_plain

SMALL = Bounds(Limits(rows=10, inputs=4, name_bytes=8, id_bytes=8, text_bytes=16), features=2)
COLUMN = {"name": "a", "datatype": "INT64", "shape": [1], "data": [1]}


def read(bounds: Bounds = SMALL, **request: Any) -> Any:
    return read_plain(json.dumps(request).encode(), bounds)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"inputs": [COLUMN] * 5}, "over_limit: 5 inputs in one request; at most 4"),
        ({"inputs": [{**COLUMN, "name": "n" * 9}]}, "over_limit: the name 'nnn.* at most 8 bytes"),
        ({"inputs": [{**COLUMN, "name": "이름이"}]}, "over_limit: the name"),
        ({"inputs": [COLUMN], "id": "i" * 9}, "over_limit: the id 'iii.* at most 8 bytes"),
        ({"inputs": [{**COLUMN, "data": [1] * 11}]}, "too_many_rows: 11 rows in one request; at most 10"),
    ],
)
def test_a_plain_request_over_a_bound_is_refused_before_any_array_is_made(request_: Any, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        read(**request_)


def test_what_is_at_the_bound_is_read() -> None:
    request_id, tensors = read(id="i" * 8, inputs=[{**COLUMN, "name": "n" * 8, "data": [1] * 10}] * 4)
    assert request_id == "i" * 8 and len(tensors) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"0," * 100000 + b"0]",
        b"[" + b"[]," * 100000 + b"[]]",
        b'["\\\\' + b'","' * 100000 + b'"]',
        b'{"a":1' + b',"a":1' * 100000 + b"}",
    ],
    ids=["numbers", "lists", "texts", "keys"],
)
def test_more_values_than_all_rows_have_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="too_many_rows: about 10000"):
        SMALL.check_size(body)


@pytest.mark.parametrize("text", ["," * 100_000, '\\",' * 100_000, "\\\\," * 100_000, '[{,"' * 50_000])
def test_what_stands_in_a_text_counts_for_nothing(text: str) -> None:
    body = json.dumps([text]).encode()
    SMALL.check_size(body)
    SMALL.check_depth(body)


def test_what_lies_too_deep_is_refused() -> None:
    deepest = Limits().json_depth
    SMALL.check_depth(b"[" * deepest + b"]" * deepest)
    SMALL.check_depth(b"[" + b"[[]]," * 1_000 + b"[]]")
    for opening in (b"[", b'{"a":', b'[{"]":'):
        with pytest.raises(Refusal, match="over_limit: lists and mappings"):
            SMALL.check_depth(opening * (deepest + 1))


def test_a_text_that_is_too_long_is_named_with_its_row() -> None:
    for text in ("x" * 17, "이" * 6, b"x" * 17):
        with pytest.raises(Refusal, match="over_limit: 'a', row 1: the text is longer than the allowed 16 bytes"):
            SMALL.check_texts("a", ["x" * 16, text])
    SMALL.check_texts("a", ["x" * 16, None, 7, "이" * 5])


def test_bytes_are_counted_not_characters() -> None:
    assert not is_longer("é" * 4, 8) and is_longer("é" * 5, 8) and is_longer("\ud800" * 3, 8)


def test_the_time_of_a_refusal_does_not_grow_with_a_clients_name_or_their_number() -> None:
    features = tuple(Feature(f"{number:060d}", "float32", True) for number in range(1_000))
    started = time.perf_counter()
    for columns in ({"x" * 10_000_000: [1.0]}, {f"{number:059d}x": [1.0] for number in range(20_000)}):
        with pytest.raises(Refusal, match="unknown_feature") as caught:
            cast_columns(columns, features, 10)
        assert len(str(caught.value)) < 5_000
    assert time.perf_counter() - started < 3
