"""The files of pictures that a table names by their paths, below one folder."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from components._core.errors import ConfigError, first_line
from components._core.pictures.decode import PictureError
from components._core.store.filesystems import open_filesystem
from components._core.system_errors import needs_user_action
from components._data.sources.contract import SpanFile


class PictureFiles:
    """Reads files below a folder.

    Args:
        filesystem: The file system.
        folder: The folder.
        max_bytes: Most bytes that are read of one.
    """

    def __init__(self, filesystem: Any, folder: str, max_bytes: int) -> None:
        self._filesystem, self._folder, self._max_bytes = filesystem, folder.rstrip("/"), max_bytes

    @classmethod
    def of_table(cls, file: SpanFile, folder: str, max_bytes: int) -> PictureFiles:
        """Open the folder from which the paths in a file of the table begin.

        Args:
            file: The file of the table.
            folder: As in `data.pictures.folder`; empty: that of the file.
            max_bytes: Most bytes that are read of a picture.

        Raises:
            ConfigError: When the folder's address is invalid, or the table has no files beside which it could lie.
        """
        if folder:
            try:
                return cls(*open_filesystem(folder), max_bytes)
            except (ImportError, ValueError, OSError) as error:
                message = f"{folder!r} cannot be opened: {first_line(error)}"
                raise ConfigError(
                    message, where="data.pictures.folder", remedy="give a path or a URL of a folder"
                ) from None
        if file.format:
            message = "is needed: the rows name files, and this source has no folder in which they could be"
            raise ConfigError(
                message, where="data.pictures.folder", remedy="set it to the folder from which the paths begin"
            )
        return cls(file.filesystem, file.path.rpartition("/")[0], max_bytes)

    def read(self, path: str) -> bytes:
        """Read a file, or its first `max_bytes` bytes and one more.

        Raises:
            PictureError: When it is not below the folder, or cannot be read.
        """
        place = self._locate(path)
        try:
            with self._filesystem.open(place, "rb") as stream:
                return bytes(stream.read(self._max_bytes + 1))
        except FileNotFoundError:
            raise PictureError("there is no such file") from None
        except (IsADirectoryError, NotADirectoryError):
            raise PictureError("is not a file") from None
        except OSError as error:
            if needs_user_action(error):
                raise PictureError(f"cannot be read: {error.strerror or first_line(error)}") from None
            raise  # the store or the network: no fault of this row

    def _locate(self, path: str) -> str:
        parts = PurePosixPath(path.replace("\\", "/")).parts
        if not parts or ".." in parts or "\0" in path or "://" in path:
            raise PictureError("is not a path below the folder of the pictures")
        absolute = path.startswith("/")
        place = path if absolute else f"{self._folder}/{'/'.join(parts)}"
        if not self._is_inside(place):
            raise PictureError("leaves the folder of the pictures")
        return place

    def _is_inside(self, place: str) -> bool:
        if not isinstance(self._filesystem, LocalFileSystem):
            return place.startswith(f"{self._folder}/")
        from os.path import realpath

        return realpath(place).startswith(f"{realpath(self._folder)}/")
