"""The wire format of Protocol Buffers: yields the fields of a message, without an object for each and without recursion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT = 10


class DamagedMessage(ValueError):
    """The bytes are not a message."""


def fields(content: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield number, wire type and value of each field: an integer for a varint, else the bytes.

    Raises:
        DamagedMessage: When the bytes are not a message; groups, which proto3 does not have, count as that.
    """
    at, size = 0, len(content)
    while at < size:
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(content, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(content, at)
        else:
            length = _SIZES.get(kind, -1)
        if number == 0 or length < 0 or at + length > size:
            raise DamagedMessage
        yield number, kind, content[at : at + length]
        at += length


def varints(packed: memoryview) -> Iterator[int]:
    """Yield the numbers of a packed field.

    Raises:
        DamagedMessage: When the bytes are not such numbers.
    """
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for group in range(_MAX_VARINT):
        if at >= len(content):
            raise DamagedMessage
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << (7 * group)
        if byte < 0x80:
            return value, at
    raise DamagedMessage
