"""The results of queries as files: each is an Arrow IPC stream, made batch by batch as it is read.

So a database is read by the Arrow format, like any file, and its content has a size and a digest.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, BinaryIO, cast

from components._data.sources.databases.contract import Database, Select

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "arrow"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class QueryFiles:
    """A file system with one file for each select.

    Args:
        database: Where the selects run.
        selects: Selects by the path of their file.
    """

    protocol = "query"

    def __init__(self, database: Database, selects: Mapping[str, Select]) -> None:
        self._database = database
        self._selects = selects
        self._schemas: dict[str, pa.Schema] = {}

    def open(self, path: str, mode: str = "rb") -> BinaryIO:
        """Open the result of a select; the rows are requested when more than its columns is read."""
        return cast(BinaryIO, io.BufferedReader(_MessageStream(self._messages(path))))

    def _messages(self, path: str) -> Generator[bytes, None, None]:
        """Yield the messages of an Arrow stream: its schema, its batches, its end."""
        select = self._selects[path]
        if path not in self._schemas:
            self._schemas[path] = self._database.schema(select)
        schema = self._schemas[path]
        yield schema.serialize().to_pybytes()
        for batch in self._database.batches(select, schema):
            yield batch.serialize().to_pybytes()
        yield _END_OF_STREAM


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
        self._messages.close()  # ends the query
        super().close()
