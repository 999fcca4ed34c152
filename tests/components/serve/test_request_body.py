"""What a body says it is, and how it is unpacked: bounded, and by the rules of HTTP."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest

from components._predictor.refusals import Refusal
from components.serve.request_body import check_type, codings_of, unpack

BODY = b'{"inputs": []}' * 10
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(BODY) + RAW.flush()


def _gzip(body: bytes) -> bytes:
    """Packed without the time of day: the names of the tests hold these bytes, and two processes must collect the same."""
    return gzip.compress(body, mtime=0)


def codings(*values: str) -> list[str]:
    return codings_of([(b"host", b"a"), *((b"content-encoding", value.encode()) for value in values)])


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; v=2",
        "application/vnd.kserve+json",
        " application/json ",
        "",
    ],
)
def test_json_is_taken_however_it_is_written(kind: str) -> None:
    check_type([(b"content-type", kind.encode())])
    check_type([])


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "json",
        "application/jsonp",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
def test_what_is_not_json_in_utf8_is_refused_with_415(kind: str) -> None:
    with pytest.raises(Refusal, match="media_type") as caught:
        check_type([(b"content-type", kind.encode())])
    assert caught.value.status == 415


def test_codings_are_read_without_regard_to_case_from_every_line() -> None:
    assert codings("GZIP") == codings("Gzip, identity") == codings("", " gzip ,") == ["gzip"]
    assert codings("identity") == codings() == codings(" , ") == []
    assert codings("deflate, x-gzip") == codings("deflate", "X-GZIP") == ["deflate", "x-gzip"]


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br", "aws-chunked", "gzip, gzip, gzip, gzip"])
def test_a_coding_that_is_not_taken_is_refused_with_what_is(coding: str) -> None:
    with pytest.raises(Refusal, match="media_type") as caught:
        codings(coding)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (_gzip(BODY), ["gzip"]),
        (_gzip(BODY), ["x-gzip"]),
        (zlib.compress(BODY), ["deflate"]),
        (DEFLATED, ["deflate"]),
        (_gzip(zlib.compress(BODY)), ["deflate", "gzip"]),
        (_gzip(BODY[:50]) + _gzip(BODY[50:]) + b"\0" * 512, ["gzip"]),
        (b"".join(_gzip(BODY[place : place + 1]) for place in range(len(BODY))), ["gzip"]),
        (BODY, []),
    ],
)
def test_a_body_is_unpacked(packed: bytes, coding: list[str]) -> None:
    assert unpack(packed, coding, len(packed) + len(BODY)) == BODY


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (BODY, "gzip"),
        (b"", "gzip"),
        (_gzip(BODY)[:-4], "gzip"),
        (_gzip(BODY)[:-8] + b"\0" * 8, "gzip"),
        (_gzip(BODY) + b"more", "gzip"),
        (zlib.compress(BODY) + b"more", "deflate"),
        (BODY, "deflate"),
        (_gzip(BODY), "deflate"),
    ],
)
def test_a_body_that_is_damaged_is_refused(packed: bytes, coding: str) -> None:
    with pytest.raises(Refusal, match="bad_encoding"):
        unpack(packed, [coding], 1 << 20)


@pytest.mark.parametrize("members", [1_001, 700_000])
def test_a_body_of_very_many_gzip_members_is_refused_at_once(members: int) -> None:
    packed = _gzip(b"") * members
    started = time.process_time()
    with pytest.raises(Refusal, match="too_large: the body has more than 1000 gzip members; compress it as one"):
        unpack(packed, ["gzip"], 1 << 24)
    assert time.process_time() - started < 1
    assert unpack(_gzip(b"a") * 1_000, ["gzip"], 1 << 24) == b"a" * 1_000


def test_what_unpacks_to_more_than_allowed_is_refused_before_it_is_all_there() -> None:
    bomb = gzip.compress(b" " * 200_000_000, 1)
    started = time.perf_counter()
    for packed, coding in ((bomb, ["gzip"]), (gzip.compress(bomb), ["gzip", "gzip"])):
        with pytest.raises(Refusal, match="too_large") as caught:
            unpack(packed, coding, 1 << 20)
        assert caught.value.status == 413
    with pytest.raises(Refusal, match="too_large"):
        unpack(gzip.compress(b"x" * 600) + gzip.compress(b"x" * 600), ["gzip"], 1_000)
    assert unpack(gzip.compress(b"x" * 1_000), ["gzip"], 1_000) == b"x" * 1_000
    assert time.perf_counter() - started < 5
