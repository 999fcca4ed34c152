"""The wire format of Protocol Buffers, read field by field, for messages whose classes are not at hand.

Repeated occurrences of a field are joined as Protocol Buffers do it: the last number or text counts, messages are merged.
"""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_SHIFT = 63


class Message:
    """One message.

    Args:
        content: Its bytes.

    Raises:
        ValueError: When they are not a message.
    """

    def __init__(self, content: bytes) -> None:
        self._fields: dict[int, list[bytes]] = {}
        self._numbers: dict[int, int] = {}
        at = 0
        while at < len(content):
            tag, at = _varint(content, at)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                self._numbers[number], at = _varint(content, at)
            elif kind == _BYTES:
                size, at = _varint(content, at)
                self._fields.setdefault(number, []).append(content[at : at + size])
                at += size
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
            else:
                raise ValueError(f"wire type {kind}")
        if at > len(content):
            raise ValueError("it ends early")

    def number(self, field: int) -> int:
        """A whole number; 0 when it is not there."""
        return self._numbers.get(field, 0)

    def content(self, field: int) -> bytes:
        """Bytes of a field of which there is one; empty when it is not there."""
        return self._fields.get(field, [b""])[-1]

    def contents(self, field: int) -> list[bytes]:
        """Bytes of a field that is repeated."""
        return self._fields.get(field, [])

    def text(self, field: int) -> str:
        """A text."""
        return self.content(field).decode("utf-8")

    def texts(self, field: int) -> list[str]:
        """A text that is repeated."""
        return [content.decode("utf-8") for content in self.contents(field)]

    def message(self, field: int) -> Message:
        """A message of which there is one; an empty one when it is not there."""
        return Message(b"".join(self.contents(field)))

    def messages(self, field: int) -> list[Message]:
        """A message that is repeated."""
        return [Message(content) for content in self.contents(field)]

    def mapping(self, field: int) -> dict[str, Message]:
        """A map from texts to messages; of a duplicate key the last value counts."""
        return {entry.text(1): entry.message(2) for entry in self.messages(field)}


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > _MAX_SHIFT:
            raise ValueError("it ends early")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
