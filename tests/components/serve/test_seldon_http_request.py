"""How a request is put together from its bytes, whatever pieces they come in, and what is refused on the way."""

from __future__ import annotations

import pytest

from components.serve.limits import Limits
from components.serve.seldon_http_request import IncomingRequest

LIMITS = Limits(body_bytes=1_000, header_bytes=500)
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
BODY = bytes(range(256)) * 2
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /health/ping HTTP/1.1\r\nHost: x\r\n\r\n"


def chunks(body: bytes, size: int, trailer: bytes = b"\r\n") -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer


WHOLE = {
    "no body": (NEXT, b""),
    "an empty body": (POST + b"Content-Length: 0\r\n\r\n", b""),
    "a length": (POST + b"Content-Length: 512\r\n\r\n" + BODY, BODY),
    "a length, oddly written": (POST + b"cOnTeNt-lEnGtH:  000512 \r\n\r\n" + BODY, BODY),
    "one chunk": (POST + CHUNKED + chunks(BODY, 512), BODY),
    "chunks of a few bytes": (POST + CHUNKED + chunks(BODY, 3), BODY),
    "chunks with an extension": (POST + CHUNKED + b'5 ;a="b"\r\nab\r\nc\r\n0;x\r\n\r\n', b"ab\r\nc"),
    "a trailer": (POST + CHUNKED + chunks(BODY, 100, b"X-Sum: 1\r\nY: 2\r\n\r\n"), BODY),
    "several codings": (POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: CHUNKED\r\n\r\n" + chunks(BODY, 99), BODY),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("case", WHOLE)
def test_a_request_is_the_same_in_whatever_pieces_it_comes(case: str, piece: int) -> None:
    sent, body = WHOLE[case]
    incoming = IncomingRequest(LIMITS, 0.0)
    for at in range(0, len(sent), piece):
        assert not incoming.complete and not incoming.refused
        incoming.feed(sent[at : at + piece], 0.0)
    assert incoming.complete and incoming.body == body and incoming.rest() == b""
    assert incoming.head == sent[: sent.index(b"\r\n\r\n") + 4]


@pytest.mark.parametrize("case", WHOLE)
def test_what_follows_is_left_for_the_next_request(case: str) -> None:
    sent, body = WHOLE[case]
    incoming = IncomingRequest(LIMITS, 0.0)
    incoming.feed(sent + NEXT, 0.0)
    assert incoming.complete and (incoming.body, incoming.rest()) == (body, NEXT)


REFUSED = {
    "a length above the bound": (POST + b"Content-Length: 1001\r\n\r\n", 413),
    "a length of many digits": (POST + b"Content-Length: " + b"9" * 300 + b"\r\n\r\n", 413),
    "a chunk above the bound": (POST + CHUNKED + b"3e9\r\n", 413),
    "a chunk far above the bound": (POST + CHUNKED + b"fffffffffffffff\r\n", 413),
    "chunks that add up": (POST + CHUNKED + chunks(b"x" * 1_001, 10), 413),
    "a head without an end": (POST + b"X: " + b"x" * 500, 431),
    "a head with an end": (POST + b"X: " + b"x" * 500 + b"\r\n\r\n", 431),
    "no size of a chunk": (POST + CHUNKED + b"\r\n", 400),
    "a signed size": (POST + CHUNKED + b"+5\r\nabcde\r\n", 400),
    "a size with a prefix": (POST + CHUNKED + b"0x5\r\nabcde\r\n", 400),
    "a size too long": (POST + CHUNKED + b"1" * 2_000, 400),
    "a size with a bare line feed": (POST + CHUNKED + b"5;a\nb\r\nabcde\r\n", 400),
    "a chunk that is longer than its size": (POST + CHUNKED + b"2\r\nabcde\r\n", 400),
    "a trailer with a bare line feed": (POST + CHUNKED + b"0\r\nX: 1\n\n", 400),
    "the head of another request in place of trailers": (POST + CHUNKED + b"0\r\n" + NEXT, 400),
    "a trailer without a name": (POST + CHUNKED + b"0\r\n: x\r\n\r\n", 400),
    "a body that a transfer coding compresses": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(BODY, 99),
        501,
    ),
    "another transfer coding in a line of its own": (
        POST + b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        501,
    ),
    "chunks that are mostly framing": (
        POST + CHUNKED + b"1;" + b"x" * 900 + b"\r\na\r\n1;" + b"x" * 900 + b"\r\na\r\n1;" + b"x" * 900 + b"\r\na\r\n",
        413,
    ),
    "a trailer above the bound": (POST + CHUNKED + b"0\r\nX: " + b"x" * 600, 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_over_a_bound_is_refused_before_it_is_there(case: str) -> None:
    sent, status = REFUSED[case]
    for piece in (1, 10_000):
        incoming = IncomingRequest(LIMITS, 0.0)
        for at in range(0, len(sent), piece):
            incoming.feed(sent[at : at + piece], 0.0)
            if incoming.refused:
                break
        assert incoming.refused is not None and incoming.refused.status == status and not incoming.complete
        assert incoming.held <= 3_000


DOUBTFUL = [
    b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    b"Content-Length: +5\r\n\r\n",
    b"Content-Length: 5, 5\r\n\r\n",
    b"X: a\nContent-Length: 5\n\n",
    b"Content-Length: 5\n\nabcdeGET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("fields", DOUBTFUL)
def test_framing_in_doubt_is_left_to_the_parser_of_heads(fields: bytes) -> None:
    incoming = IncomingRequest(LIMITS, 0.0)
    incoming.feed(POST + fields, 0.0)
    assert incoming.complete and incoming.body == b"" and incoming.head.startswith(POST)


def test_time_is_short_for_a_head_and_goes_by_the_bytes_of_a_body() -> None:
    fresh, kept = IncomingRequest(Limits(), 100.0), IncomingRequest(Limits(), 100.0, kept=True)
    assert (fresh.deadline(), kept.deadline()) == (110.0, 175.0)
    for incoming in (fresh, kept):
        incoming.feed(b"POST /", 104.0)
    assert (fresh.deadline(), kept.deadline()) == (110.0, 114.0)
    fresh.feed(b"predict HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n", 109.0)
    assert fresh.deadline() == 119.0
    fresh.feed(b"x" * 640_000, 110.0)
    assert fresh.deadline() == 129.0 and not fresh.complete


def test_a_client_that_expects_100_continue_gets_it_once() -> None:
    incoming = IncomingRequest(LIMITS, 0.0)
    incoming.feed(POST + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", 0.0)
    assert incoming.expects_continue() and not incoming.expects_continue()
    too_large = IncomingRequest(LIMITS, 0.0)
    too_large.feed(POST + b"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n", 0.0)
    assert too_large.refused and not too_large.expects_continue()
