"""Bounds on what a body of JSON would become in memory, before it is parsed: a byte of it can be sixty as objects of Python."""

from __future__ import annotations

from components.serve.http_refusals import HttpRefusal
from components.serve.limits import Limits

_STRUCTURE = b'",:[{'
_OTHER = bytes(byte for byte in range(256) if byte not in _STRUCTURE)
_ROOM = 1_000
"""Values and lists beside the rows: of the request's frame, and of one that is slightly too large, which gets a better message."""


class JsonGuard:
    """Refuses bodies with more values, lists and mappings than the largest request has.

    Args:
        limits: Bounds on a request.
        features: How many the model takes.
    """

    def __init__(self, limits: Limits, features: int) -> None:
        self._lists = limits.rows + features + _ROOM
        self._values = (limits.rows + _ROOM) * (features + 4) + _ROOM
        self._told = (
            f"the request holds more values than {limits.rows} rows of {features} features, the most that are allowed"
        )

    def check(self, body: bytes) -> None:
        """Count what JSON's structure consists of; texts are looked at only in a body that might be too large.

        Raises:
            HttpRefusal: 413.
        """
        if len(body) > self._lists and self._is_too_large(body) and self._is_too_large(_without_texts(body)):
            raise HttpRefusal(413, "too_many_rows", f"too_many_rows: {self._told}")

    def _is_too_large(self, body: bytes) -> bool:
        if body.count(b"[") + body.count(b"{") > self._lists:
            return True
        return body.count(b",") > self._values or body.count(b":") > self._values


def _without_texts(body: bytes) -> bytes:
    """The structure of JSON alone. In a text a backslash takes the next character along; elsewhere there is none."""
    structure = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER)
    return b"".join(structure.split(b'"')[::2])
