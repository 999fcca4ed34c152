"""Bounds the memory that a JSON body would take, before it is parsed: one byte can become sixty as Python objects."""

from __future__ import annotations

from components.serve.http_refusals import HttpRefusal
from components.serve.limits import Limits

_STRUCTURE = b'",:[{'
_OTHER = bytes(byte for byte in range(256) if byte not in _STRUCTURE)
_ROOM = 1_000
"""Values and lists beyond the rows: for the request's frame, and so that a slightly too large request gets the better message
of a later check."""


class JsonGuard:
    """Refuses bodies with more values, lists and mappings than the largest allowed request has.

    Args:
        limits: Bounds on a request.
        features: Number of the model's features.
    """

    def __init__(self, limits: Limits, features: int) -> None:
        self._lists = limits.rows + features + _ROOM
        self._values = (limits.rows + _ROOM) * (features + 4) + _ROOM
        self._message = (
            f"the request has more values than {limits.rows} rows of {features} features, which is the maximum"
        )

    def check(self, body: bytes) -> None:
        """Count the characters of JSON's structure; texts are skipped only in a body that might be too large.

        Raises:
            HttpRefusal: 413.
        """
        if len(body) > self._lists and self._is_too_large(body) and self._is_too_large(_without_texts(body)):
            raise HttpRefusal(413, "too_many_rows", f"too_many_rows: {self._message}")

    def _is_too_large(self, body: bytes) -> bool:
        if body.count(b"[") + body.count(b"{") > self._lists:
            return True
        return body.count(b",") > self._values or body.count(b":") > self._values


def _without_texts(body: bytes) -> bytes:
    """Return JSON's structure without its texts. A backslash escapes the next character; it occurs in texts only."""
    structure = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER)
    return b"".join(structure.split(b'"')[::2])
