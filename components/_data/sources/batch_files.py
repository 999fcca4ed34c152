"""Batches of rows as files: each is an Arrow IPC stream, made batch by batch as it is read.

So what has no file of its own, such as the result of a query, is read by the Arrow format like any file, and its content has a
size and a digest.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "arrow"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

Batches: TypeAlias = "Generator[pa.RecordBatch, None, None]"


class BatchFiles:
    """A file system of such files.

    Args:
        read: Returns the columns and the batches of a file by its path. The batches are requested when more than the columns
            is read, and closed with the file.
    """

    protocol = "batches"

    def __init__(self, read: Callable[[str], tuple[pa.Schema, Batches]]) -> None:
        self._read = read

    def open(self, path: str, mode: str = "rb") -> BinaryIO:
        """Open a file for reading."""
        return cast(BinaryIO, io.BufferedReader(_MessageStream(self._messages(path))))

    def _messages(self, path: str) -> Generator[bytes, None, None]:
        """Yield the messages of an Arrow stream: its schema, its batches, its end."""
        schema, batches = self._read(path)
        try:
            yield schema.serialize().to_pybytes()
            for batch in batches:
                yield batch.serialize().to_pybytes()
            yield _END_OF_STREAM
        finally:
            batches.close()


class _MessageStream(io.RawIOBase):
    """The bytes of some messages, made as they are read."""

    def __init__(self, messages: Generator[bytes, None, None]) -> None:
        super().__init__()
        self._messages = messages
        self._part = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._part:
            following = next(self._messages, None)
            if following is None:
                return 0
            self._part = memoryview(following)
        count = min(len(buffer), len(self._part))
        buffer[:count] = self._part[:count]
        self._part = self._part[count:]
        return count

    def close(self) -> None:
        self._messages.close()
        super().close()
