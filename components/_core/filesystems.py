"""Which file system a path or URL lies in: S3 is our own small one, every other is fsspec's."""

from __future__ import annotations

from typing import Any

import fsspec


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
        from components._core.s3 import S3FileSystem

        files = S3FileSystem()
        return files, files.without_scheme(uri)
    if _is_path(uri):
        local = fsspec.filesystem("file", **options)
        return local, str(local._strip_protocol(uri))
    found, path = fsspec.core.url_to_fs(uri, **options)
    return found, str(path)


def is_local(filesystem: Any) -> bool:
    """Whether it is a folder of this machine, where a file is written aside and linked or renamed."""
    return "file" in filesystem.protocol


def _is_path(uri: str) -> bool:
    """Whether it is a path, in which `::` is part of a name; fsspec takes that as file systems upon one another."""
    if uri.startswith("file://"):
        return True
    return "://" not in uri and uri.partition("::")[0] not in fsspec.available_protocols()
