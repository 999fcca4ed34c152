"""What the file systems of object stores share: folders are parts of names, objects are read by ranges and written whole."""

from __future__ import annotations

from typing import Any

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile


class ObjectFileSystem(AbstractFileSystem):
    """The objects of a store as files and folders; a subclass has its protocol, `info`, `read_range` and what writes."""

    cachable = False  # the environment is read for each instance

    @classmethod
    def without_scheme(cls, uri: str) -> str:
        """Return `bucket/key` of an address of the store, as in `s3://bucket/key`."""
        return str(cls._strip_protocol(uri))

    @classmethod
    def _split(cls, path: str) -> tuple[str, str]:
        bucket, _, key = cls.without_scheme(path).partition("/")
        return bucket, key

    def exists(self, path: str, **_: Any) -> bool:
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        return self._type(path) == "directory"

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: folders are parts of names."""

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Read the bytes of an object from `start` up to `end`."""
        raise NotImplementedError  # as fsspec's own methods that a file system has to have

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **_: Any) -> _ObjectFile:
        if mode != "rb":
            message = f"mode {mode!r}: objects are written whole, with pipe_file or put_file"
            raise NotImplementedError(message)  # as fsspec's own file systems raise for an unsupported mode
        return _ObjectFile(self, path, mode, block_size or "default")

    def _type(self, path: str) -> str | None:
        try:
            return str(self.info(path)["type"])
        except FileNotFoundError:
            return None


class _ObjectFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.read_range(self.path, start, end))
