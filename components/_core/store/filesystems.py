"""The file system of a path or URL: Naru's own small ones for S3, Google Cloud Storage and HTTP, fsspec's for all others.

A local path is used as written, whatever characters it has; in `file:///...` they are percent-encoded, as in any URL.
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
    """Open the fsspec file system of a path or URL, and return it with the path inside it.

    Args:
        uri: A path, `file:///path`, `s3://bucket/key`, `gs://bucket/key`, `https://host/file`, or any URL that fsspec knows.
        **options: Options of the file system of a folder on this machine.

    Raises:
        ConfigError: When it is S3 or GCS and the environment has no credentials, or the extra `gcs` is not installed.
        ImportError: When the file system's package is not installed.
        ValueError: When the file system is unknown.
    """
    if uri.startswith("s3://"):
        from components._core.store.s3 import S3FileSystem

        files = S3FileSystem()
        return files, files.without_scheme(uri)
    if uri.startswith("gs://"):
        from components._core.store.gcs import GcsFileSystem

        objects = GcsFileSystem()
        return objects, objects.without_scheme(uri)
    if uri.startswith(("http://", "https://")):
        from components._core.store.http import HttpFileSystem

        return HttpFileSystem(), uri
    if _is_path(uri):
        local = fsspec.filesystem("file", **options)
        return local, str(local._strip_protocol(_local_path(uri)))
    found, path = fsspec.core.url_to_fs(uri, **options)
    return found, str(path)


def is_local(filesystem: Any) -> bool:
    """Return whether it is a folder of this machine, where files are written aside and linked or renamed."""
    return "file" in filesystem.protocol


def _is_path(uri: str) -> bool:
    """Return whether it is a path, in which `::` is part of a name; fsspec would read it as chained file systems."""
    if uri.startswith(_FILE):
        return True
    return "://" not in uri and uri.partition("::")[0] not in fsspec.available_protocols()


def _local_path(uri: str) -> str:
    if not uri.startswith(_FILE):
        return uri
    spelt = uri.removeprefix(_FILE)
    path = unquote(spelt)
    if path != spelt and os.path.lexists(spelt) and not os.path.lexists(path):
        _warn_undecoded(spelt, path)
        return spelt
    return path


def _warn_undecoded(spelt: str, path: str) -> None:
    """Warn once about a folder named `my%20project`: an earlier Naru did not decode addresses; its files there are read."""
    pairs = list(zip(Path(spelt).parts, Path(path).parts, strict=False))
    odd = next(number for number, (one, other) in enumerate(pairs) if one != other)
    folder = str(Path(*Path(spelt).parts[: odd + 1]))
    if folder not in _said:
        _said.add(folder)
        home = Path(*Path(path).parts[: odd + 1])
        message = f"an earlier Naru kept files of {home} in {folder}: they are read from there"
        sys.stderr.write(f"naru: warning: {message}\n  -> keep that folder, or copy what it holds into {home}\n")
