"""Media type and content codings of a body (RFC 9110, 8.3 and 8.4), and bounded decompression."""

from __future__ import annotations

import re
import zlib

from components._predictor.refusals import Refusal

Headers = list[tuple[bytes, bytes]]

CODINGS = "gzip, deflate"
"""Value of `Accept-Encoding` in an answer with 415."""

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_BLOCK = 1 << 16
_ZEROS = re.compile(rb"\0*")
_MOST_CODINGS = 3
_MOST_MEMBERS = 1_000
"""Compressed parts of one body, one after another: tools that compress in parallel make one for each 100 KiB or so. Each costs a buffer."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some clients write before UTF-8; a reader of JSON may ignore it (RFC 8259, 8.1)."""
_SHOWN = 60
_JSON = re.compile(r"application/(json|[^/;]+\+json)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def check_type(headers: Headers) -> None:
    """Refuse a media type other than JSON in UTF-8; without a Content-Type the body counts as that.

    Raises:
        Refusal: `media_type`.
    """
    for name, value in headers:
        if name == b"content-type" and value != b"application/json":
            _check_type(value.decode("latin-1").strip())


def _check_type(value: str) -> None:
    kind, *parameters = (part.strip().lower() for part in value.split(";"))
    if kind and not _JSON.fullmatch(kind):
        raise Refusal("media_type", f"Content-Type {_cut(value)!r} is not supported; send application/json")
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip() == "charset" and text.strip(' "') not in _CHARSETS:
            raise Refusal("media_type", f"Content-Type {_cut(value)!r}: JSON must be in UTF-8")


def codings_of(headers: Headers) -> list[str]:
    """Return the codings of a body in the order in which they were applied, without `identity`.

    Raises:
        Refusal: `media_type`, for a coding that is not supported.
    """
    header = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1")
    codings = [coding for text in header.split(",") if (coding := text.strip().lower()) not in ("", "identity")]
    for coding in codings:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise Refusal(
                "media_type", f"Content-Encoding {_cut(coding)!r} is not supported; allowed: {CODINGS}, identity"
            )
    if len(codings) > _MOST_CODINGS:
        raise Refusal("media_type", f"{len(codings)} content codings; at most {_MOST_CODINGS} are allowed")
    return codings


def unpack(body: bytes, codings: list[str], limit: int) -> bytes:
    """Decode a body, the last coding first.

    Args:
        body: Body as it was sent.
        codings: Codings from `codings_of`.
        limit: Most bytes of the body after each step.

    Raises:
        Refusal: `too_large`, or `bad_encoding` when it is damaged or cut short.
    """
    for coding in reversed(codings):
        try:
            body = _inflate(body, _ZLIB if coding == "deflate" else _GZIP, limit)
        except zlib.error:
            if coding != "deflate":
                raise _damaged(coding) from None
            try:
                body = _inflate(body, _RAW, limit)  # many clients send raw deflate under that name
            except zlib.error:
                raise _damaged(coding) from None
    return body


def _inflate(packed: bytes, window: int, limit: int) -> bytes:
    """Decompress, also several members in a row and padding by zeros, as gzip allows; blocks keep it linear in the body."""
    view, start, left = memoryview(packed), 0, limit
    parts: list[bytes] = []
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(window)
        while not member.eof:
            block = view[start : start + _BLOCK]
            if not block:
                raise zlib.error
            parts.append(member.decompress(block, left + 1))
            start += len(block)
            left -= len(parts[-1])
            if left < 0:
                raise Refusal("too_large", f"the body is larger than the allowed {limit} bytes after decompression")
        start -= len(member.unused_data)
        if window == _GZIP and (padding := _ZEROS.match(packed, start)):
            start = padding.end()
        if start == len(packed):
            return b"".join(parts)
        if window != _GZIP:
            raise zlib.error
    raise Refusal("too_large", f"the body has more than {_MOST_MEMBERS} gzip members; compress it as one")


def _damaged(coding: str) -> Refusal:
    return Refusal("bad_encoding", f"the body is not valid {coding}, which its Content-Encoding names, or is cut short")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
