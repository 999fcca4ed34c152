"""Which file system a path or URL lies in: S3 is our own small one, every other is fsspec's.

A path of this machine is taken as it stands, whatever signs it holds; in `file:///...` they are percent-encoded, as everywhere.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fsspec

_FILE = "file://"
_said: set[str] = set()


def open_filesystem(uri: str, **options: Any) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path as that file system has it.

    Args:
        uri: A path, `file:///path`, `s3://bucket/key`, or any URL that fsspec knows.
        **options: For the file system of a folder on this machine.

    Raises:
        ConfigError: When S3 is asked for and the environment holds no credentials.
        ImportError: When the file system's package is not installed.
        ValueError: When there is no file system of that name.
    """
    if uri.startswith("s3://"):
        from components._core.store.s3 import S3FileSystem

        files = S3FileSystem()
        return files, files.without_scheme(uri)
    if _is_path(uri):
        local = fsspec.filesystem("file", **options)
        return local, str(local._strip_protocol(_local_path(uri)))
    found, path = fsspec.core.url_to_fs(uri, **options)
    return found, str(path)


def is_local(filesystem: Any) -> bool:
    """Whether it is a folder of this machine, where a file is written aside and linked or renamed."""
    return "file" in filesystem.protocol


def _is_path(uri: str) -> bool:
    """Whether it is a path, in which `::` is part of a name; fsspec takes that as file systems upon one another."""
    if uri.startswith(_FILE):
        return True
    return "://" not in uri and uri.partition("::")[0] not in fsspec.available_protocols()


def _local_path(uri: str) -> str:
    if not uri.startswith(_FILE):
        return uri
    spelt = uri.removeprefix(_FILE)
    path = unquote(spelt)
    if path != spelt and os.path.lexists(spelt) and not os.path.lexists(path):
        _say_odd(spelt, path)
        return spelt
    return path


def _say_odd(spelt: str, path: str) -> None:
    """An earlier Naru took `my%20project` in an address for the folder's name; what it wrote there is read, and said once."""
    pairs = list(zip(Path(spelt).parts, Path(path).parts, strict=False))
    odd = next(number for number, (one, other) in enumerate(pairs) if one != other)
    folder = str(Path(*Path(spelt).parts[: odd + 1]))
    if folder not in _said:
        _said.add(folder)
        home = Path(*Path(path).parts[: odd + 1])
        message = f"an earlier Naru kept files of {home} in {folder}: they are read from there"
        sys.stderr.write(f"naru: warning: {message}\n  -> keep that folder, or copy what it holds into {home}\n")
