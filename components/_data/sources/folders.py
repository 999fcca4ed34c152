"""A folder as a source: all files in it and below it, with the values that folders named `key=value` give their rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from components._core.errors import DataError
from components._data.sources.contract import SpanFile

_HIDDEN = ("_", ".")
"""Files and folders of Spark and others that hold no rows begin so: `_SUCCESS`, `.part-0.crc`."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def list_folder(filesystem: Any, folder: str) -> list[SpanFile]:
    """List the files of a folder, in the order of their paths, as files of one span.

    Raises:
        DataError: When it has no file.
    """
    root = folder.rstrip("/")
    files = []
    for path in sorted(str(path) for path in filesystem.find(root)):
        parts = path[len(root) :].strip("/").split("/")
        if any(part.startswith(_HIDDEN) for part in parts):
            continue
        partition = tuple(pair for part in parts[:-1] if (pair := _partition(part)) is not None)
        files.append(SpanFile(1, path, filesystem, short_name="/".join(parts), partition=partition))
    if not files:
        raise DataError("is a folder without files", where=folder, remedy="correct data.source")
    return files


def _partition(part: str) -> tuple[str, str | None] | None:
    key, is_pair, value = part.partition("=")
    if not (is_pair and key):
        return None
    return unquote(key), None if value == _NO_VALUE else unquote(value)
