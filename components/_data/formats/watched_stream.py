"""A stream that passes on all bytes that are read from it, in order, as for a digest."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

_BYTES = 1 << 20


class _Watched(io.RawIOBase):
    def __init__(self, stream: BinaryIO, watch: Callable[[bytes], None]) -> None:
        self._stream, self._watch, self._position = stream, watch, 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._stream.read(len(buffer))
        self._watch(part)
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)


@contextmanager
def watched(stream: BinaryIO, watch: Callable[[bytes], None]) -> Iterator[BinaryIO]:
    """Read a stream through a buffer; what is left of it at the end is passed on, too.

    Args:
        stream: The stream, which is read once from its beginning.
        watch: Called with every part that is read.
    """
    buffered = io.BufferedReader(_Watched(stream, watch), _BYTES)
    yield buffered
    while buffered.read(_BYTES):
        pass
