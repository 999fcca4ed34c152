"""Compressed files, by their first bytes: gzip, bzip2, xz and zstandard are read as what they hold, whatever they are named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from components._core.errors import DataError
from components._data.sources.contract import SpanFile

HEAD_BYTES = 1 << 16
"""Bytes by which a format is recognised."""
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError)


def _open_zstandard(stream: BinaryIO) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(stream, "zstd")


_KINDS: dict[bytes, tuple[str, Callable[[BinaryIO], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"(\xb5/\xfd": ("zstandard", _open_zstandard),
}
"""Name and reader of each compression, by the first bytes of its files."""
_MAGIC_BYTES = max(map(len, _KINDS))


def open_content(file: SpanFile, watch: Callable[[bytes], None] | None = None) -> BinaryIO:
    """Open what a file holds: its bytes, decompressed where it is compressed, to be read once from the beginning.

    Args:
        file: The file to open.
        watch: Called with every byte of the file itself in order, as for hashing.

    Raises:
        DataError: While it is read, when a compressed file is cut off or damaged.
    """
    stream = file.open()
    magic = stream.read(_MAGIC_BYTES)
    stream.seek(0)
    found = next((kind for start, kind in _KINDS.items() if magic.startswith(start)), None)
    watched = cast(BinaryIO, _Watched(stream, watch)) if watch else stream
    return cast(BinaryIO, _Decompressed(file, watched, *found)) if found else watched


def read_head(file: SpanFile, count: int) -> tuple[bytes, str]:
    """Read the first bytes of what a file holds, fewer only where it ends, and the name of its compression."""
    with open_content(file) as stream:
        return fill(stream, count), getattr(stream, "kind", "")


def fill(stream: BinaryIO, count: int) -> bytes:
    """Read a number of bytes, fewer only at the end: one read of a remote or compressed file may return less."""
    parts, missing = [], count
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Watched:
    """A readable stream whose bytes are also given to a function."""

    closed = False

    def __init__(self, stream: BinaryIO, watch: Callable[[bytes], None]) -> None:
        self._stream, self._watch = stream, watch

    def read(self, count: int = -1) -> bytes:
        part = self._stream.read(count)
        self._watch(part)
        return part

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self._stream.close()


class _Decompressed:
    """A readable stream of what a compressed file holds; errors name the file."""

    def __init__(self, file: SpanFile, stream: BinaryIO, kind: str, reader: Callable[[BinaryIO], Any]) -> None:
        self._file, self._stream, self.kind = file, stream, kind
        self._reader = reader(stream)

    def read(self, count: int) -> bytes:
        try:
            part = bytes(self._reader.read(count))
            while not part and self._stream.read(HEAD_BYTES):
                pass  # what follows the compressed content belongs to the file's digest
            return part
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk or the network
            message = f"cannot be decompressed as {self.kind}: {str(error).partition(chr(10))[0]}"
            raise DataError(message, where=self._file.name, remedy="write or copy the file again") from None

    def __enter__(self) -> _Decompressed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._stream.close()
