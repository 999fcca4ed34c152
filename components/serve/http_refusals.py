"""Why a request of HTTP is refused before it is read as a request of a protocol; and its content codings undone.

no_request               400   the body is not a request of the protocol in JSON
bad_encoding             400   a body that does not unpack as its Content-Encoding says
not_found                404   a path that is not served
method_not_allowed       405   a path that is served, asked in another way
too_slow                 408   the request did not arrive in time
too_large                413   more bytes than one request may have, as sent or unpacked
media_type               415   a type or a coding of the body that is not read
header_too_large         431   a head with more bytes than allowed
too_many_connections     503   no room for another connection
"""

from __future__ import annotations

import re
import zlib

_GZIP = frozenset({"gzip", "x-gzip"})
_MEMBERS = 16
_JSON = re.compile(r"application/(?:[-!#$&^_.+a-z0-9]+\+)?json", re.IGNORECASE)
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})


class HttpRefusal(Exception):
    """A request that is refused by what HTTP says of it.

    Args:
        status: The HTTP status.
        reason: One of the codes in the module's docstring.
        message: What is wrong and what is allowed; safe to show to the client.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def body_too_large(most: int, how: str = "") -> HttpRefusal:
    """The refusal of a body above the bound, whether by its length, while it is read, or while it is unpacked."""
    told = f"the body is larger than {most:,} bytes{how}; send fewer rows in one request"
    return HttpRefusal(413, "too_large", told)


def check_media_type(content_type: str) -> None:
    """Take JSON in UTF-8 only. A body without a type is read as JSON.

    Args:
        content_type: The header; empty when there is none.

    Raises:
        HttpRefusal: 415, with what was found and what is allowed.
    """
    if not content_type.strip():
        return
    media_type, _, parameters = content_type.partition(";")
    charsets = [
        value.strip().strip('"').lower()
        for name, _, value in (item.partition("=") for item in parameters.split(";"))
        if name.strip().lower() == "charset"
    ]
    if not _JSON.fullmatch(media_type.strip()) or not _CHARSETS.issuperset(charsets):
        told = f"Content-Type is {content_type[:100]!r}; allowed: application/json, in UTF-8"
        raise HttpRefusal(415, "media_type", told)


def unpack(body: bytes, coding: str, most: int) -> bytes:
    """A body without its content codings (RFC 9110, 8.4): gzip, whatever its letters' case, or none.

    Args:
        body: As it was sent.
        coding: The header Content-Encoding; empty when there is none.
        most: Bytes that may come of it.

    Raises:
        HttpRefusal: 415 for another coding, 413 when more would come of it, 400 when it is not what it says.
    """
    codings = [name for item in coding.split(",") if (name := item.strip().lower()) not in ("", "identity")]
    if not codings:
        return body
    if len(codings) > 1 or codings[0] not in _GZIP:
        told = f"Content-Encoding is {coding[:100]!r}; allowed: gzip, once, or none"
        raise HttpRefusal(415, "media_type", told)
    return _gunzip(body, most)


def _gunzip(body: bytes, most: int) -> bytes:
    parts, size = [], 0
    for _ in range(_MEMBERS):
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            parts.append(unpacker.decompress(body, most - size + 1))
        except zlib.error:
            break
        size += len(parts[-1])
        if size > most:
            raise body_too_large(most, " when it is unpacked")
        if not unpacker.eof:
            break
        body = unpacker.unused_data
        if not body:
            return b"".join(parts)
    raise HttpRefusal(400, "bad_encoding", "the body is damaged: Content-Encoding says gzip, and it does not unpack")
