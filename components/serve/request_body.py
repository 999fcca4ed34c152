"""What a body says it is: its media type, and how it is packed (RFC 9110, 8.3 and 8.4). Unpacking is bounded."""

from __future__ import annotations

import re
import zlib

from components.serve.refusals import Refusal

Headers = list[tuple[bytes, bytes]]

CODINGS = "gzip, deflate"
"""For `Accept-Encoding` in an answer with 415."""

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_BLOCK = 1 << 16
_ZEROS = re.compile(rb"\0*")
_MOST_CODINGS = 3
_SHOWN = 60
_JSON = re.compile(r"application/(json|[^/;]+\+json)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def check_type(headers: Headers) -> None:
    """Refuse what says that it is not JSON in UTF-8; what says nothing is taken for it.

    Raises:
        Refusal: `media_type`.
    """
    for name, value in headers:
        if name == b"content-type" and value != b"application/json":
            _check_type(value.decode("latin-1").strip())


def _check_type(value: str) -> None:
    kind, *parameters = (part.strip().lower() for part in value.split(";"))
    if kind and not _JSON.fullmatch(kind):
        raise Refusal("media_type", f"Content-Type {_cut(value)!r} is not taken; send application/json")
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip() == "charset" and text.strip(' "') not in _CHARSETS:
            raise Refusal("media_type", f"Content-Type {_cut(value)!r}: JSON must be in UTF-8")


def codings_of(headers: Headers) -> list[str]:
    """How a body is packed, in the order of packing, `identity` left out.

    Raises:
        Refusal: `media_type`, for a coding that is not taken.
    """
    said = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1")
    codings = [coding for text in said.split(",") if (coding := text.strip().lower()) not in ("", "identity")]
    for coding in codings:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise Refusal("media_type", f"Content-Encoding {_cut(coding)!r} is not taken; allowed: {CODINGS}, identity")
    if len(codings) > _MOST_CODINGS:
        raise Refusal("media_type", f"{len(codings)} codings one over the other; at most {_MOST_CODINGS} are allowed")
    return codings


def unpack(body: bytes, codings: list[str], limit: int) -> bytes:
    """A body without its codings, the last of which is undone first.

    Args:
        body: As it was sent.
        codings: As `codings_of` gives them.
        limit: Bytes that it may have, after each step.

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
                body = _inflate(body, _RAW, limit)  # what many clients send under that name
            except zlib.error:
                raise _damaged(coding) from None
    return body


def _inflate(packed: bytes, window: int, limit: int) -> bytes:
    """Also several members one behind the other, and padding by zeros, as gzip allows. Blocks keep it linear in the body."""
    view, place, left = memoryview(packed), 0, limit
    parts: list[bytes] = []
    while True:
        member = zlib.decompressobj(window)
        while not member.eof:
            block = view[place : place + _BLOCK]
            if not block:
                raise zlib.error
            parts.append(member.decompress(block, left + 1))
            place += len(block)
            left -= len(parts[-1])
            if left < 0:
                raise Refusal(
                    "too_large", f"the body has more than {limit} bytes when it is unpacked, which are allowed"
                )
        place -= len(member.unused_data)
        if window == _GZIP and (padding := _ZEROS.match(packed, place)):
            place = padding.end()
        if place == len(packed):
            return b"".join(parts)
        if window != _GZIP:
            raise zlib.error


def _damaged(coding: str) -> Refusal:
    return Refusal("bad_encoding", f"the body is not {coding}, as its Content-Encoding says, or is cut short")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
