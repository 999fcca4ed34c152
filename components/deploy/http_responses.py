"""Parses the part of an HTTP/1.1 response that a load generator needs: status, body, and whether the connection is kept."""

from __future__ import annotations

from typing import NamedTuple


class Response(NamedTuple):
    """An HTTP response.

    Attributes:
        status: The HTTP status; 0 when the bytes are not HTTP.
        body: The body.
        keeps: Whether the next request may use the same connection.
    """

    status: int
    body: bytes
    keeps: bool


_NO_HTTP = Response(0, b"", keeps=False)


def read_response(received: bytes | bytearray, *, ended: bool) -> Response | None:
    """Parse the response that was received; None when more bytes are needed.

    Args:
        received: All bytes since the request.
        ended: Whether the server closed the connection.
    """
    split = received.find(b"\r\n\r\n")
    if split < 0:
        return None
    head = bytes(received[:split]).lower()
    try:
        status = int(head[9:12]) if head.startswith(b"http/1.") else 0
        if not status:
            return _NO_HTTP
        keeps = _header(head, b"connection") != b"close" and not head.startswith(b"http/1.0") and not ended
        return _with_body(status, head, memoryview(received)[split + 4 :].tobytes(), keeps, ended)
    except ValueError:
        return _NO_HTTP


def _with_body(status: int, head: bytes, rest: bytes, keeps: bool, ended: bool) -> Response | None:
    if length := _header(head, b"content-length"):
        size = int(length)
        return Response(status, rest[:size], keeps) if len(rest) >= size else None
    if _header(head, b"transfer-encoding") == b"chunked":
        body = _join_chunks(rest)
        return None if body is None else Response(status, body, keeps)
    if status in (204, 304):
        return Response(status, b"", keeps)
    return Response(status, rest, keeps=False) if ended else None


def _header(head: bytes, name: bytes) -> bytes:
    """Return a header's value in lower case; empty when there is none."""
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    end = head.find(b"\r\n", at + 2)
    return head[at + len(name) + 3 : end if end >= 0 else len(head)].strip()


def _join_chunks(rest: bytes) -> bytes | None:
    body, at = b"", 0
    while (end := rest.find(b"\r\n", at)) >= 0:
        size = int(rest[at:end].split(b";")[0], 16)
        begin = end + 2
        if len(rest) < begin + size + 2:
            return None
        if size == 0:
            return body
        body += rest[begin : begin + size]
        at = begin + size + 2
    return None
