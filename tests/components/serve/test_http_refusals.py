"""Types and codings of a body: those that are read, and those that are refused."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from components.serve.http_refusals import HttpRefusal, check_media_type, unpack
from components.serve.json_guard import JsonGuard
from components.serve.limits import Limits

BODY = b'{"jsonData": {"x": 1}}'
PACKED = gzip.compress(BODY)


def status_of(call: object, *args: object) -> int:
    with pytest.raises(HttpRefusal) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.status


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "X-GZip", " gzip ", "identity, gzip", "gzip,"])
def test_gzip_is_read_by_every_name(coding: str) -> None:
    assert unpack(PACKED, coding, 1_000) == BODY


@pytest.mark.parametrize("coding", ["", "identity", "Identity", ", ,"])
def test_a_body_without_a_coding_is_read_as_it_is(coding: str) -> None:
    assert unpack(BODY, coding, 1_000) == BODY


@pytest.mark.parametrize(
    "coding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, br", "aws-chunked", "gzipx", "*"]
)
def test_another_coding_is_refused(coding: str) -> None:
    assert status_of(unpack, PACKED, coding, 1_000) == 415


def test_members_are_joined_and_bounded_together() -> None:
    assert unpack(PACKED * 3, "gzip", 3 * len(BODY)) == BODY * 3
    assert status_of(unpack, PACKED * 3, "gzip", 3 * len(BODY) - 1) == 413
    assert unpack(gzip.compress(b""), "gzip", 0) == b""


def test_a_bomb_costs_no_more_than_the_bound() -> None:
    bomb = gzip.compress(b" " * 400_000_000, 1)
    started = time.process_time()
    assert status_of(unpack, bomb, "gzip", 1 << 20) == 413
    assert time.process_time() - started < 1


def test_members_without_end_are_refused() -> None:
    assert status_of(unpack, gzip.compress(b"") * 100_000, "gzip", 1_000) == 400


@pytest.mark.parametrize("body", [BODY, PACKED[:-1], PACKED[:5], b"", PACKED + b"x", PACKED[:-8] + bytes(8)])
def test_what_is_not_whole_gzip_is_the_clients_mistake(body: bytes) -> None:
    assert status_of(unpack, body, "gzip", 1_000) == 400


TAKEN = [
    "",
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
]
TAKEN += ["application/json ; a=b", "application/vnd.seldon+json", "application/problem+json; charset=utf8"]
NOT_TAKEN = [
    "text/plain",
    "text/json",
    "application/jsonp",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
]
NOT_TAKEN += [
    "application/octet-stream",
    "application/json; charset=latin-1",
    "application/json, text/plain",
    "json",
    "*/*",
    ";",
]


@pytest.mark.parametrize("content_type", TAKEN)
def test_json_is_read(content_type: str) -> None:
    check_media_type(content_type)


@pytest.mark.parametrize("content_type", NOT_TAKEN)
def test_another_type_is_refused(content_type: str) -> None:
    assert status_of(check_media_type, content_type) == 415


GUARD = JsonGuard(Limits(rows=1_000), 4)
TEXT = '[{":,' * 400
ROW = {"delay": 1.5, "month": 6, "carrier": TEXT, 'no"i\\se': 0.5}
LARGEST = {
    "columns": {name: [value] * 1_000 for name, value in ROW.items()},
    "rows": [ROW] * 1_000,
    "a row more": [ROW] * 1_001,
    "a table": [list(ROW.values())] * 1_000,
    "an escape at the end of a text": {"x": ["\\" * 500 + '"' * 501 + TEXT, "\\"] * 400},
}
TOO_LARGE = {
    "rows": [{"a": 1}] * 20_000,
    "lists": [[]] * 20_000,
    "values": {"a": [1] * 20_000},
    "texts": {"a": ["x"] * 20_000},
    "names": {f"a{number}": 1 for number in range(20_000)},
    "empty mappings": [{}] * 20_000,
}


@pytest.mark.parametrize("case", LARGEST)
def test_the_largest_request_is_parsed_whatever_its_texts_hold(case: str) -> None:
    GUARD.check(json.dumps({"jsonData": LARGEST[case]}).encode())


@pytest.mark.parametrize("case", TOO_LARGE)
def test_more_values_than_any_request_has_are_refused_before_they_are_made(case: str) -> None:
    assert status_of(GUARD.check, json.dumps({"jsonData": TOO_LARGE[case]}).encode()) == 413
