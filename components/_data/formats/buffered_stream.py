"""Small reads of a file's content through a buffer, whatever stream it is."""

from __future__ import annotations

import io
from typing import BinaryIO

_BYTES = 1 << 20


def buffered(stream: BinaryIO) -> io.BufferedReader:
    """Return a buffered reader of a stream, to be read once from the beginning; it also knows its position."""
    return io.BufferedReader(_Raw(stream), _BYTES)


class _Raw(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._position = stream, 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)
