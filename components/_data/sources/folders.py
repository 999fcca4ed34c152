"""A folder as a source: all files in it and below it, with the values that folders named `key=value` give their rows."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from components._core.errors import DataError
from components._core.project.picture_config import PICTURE_ENDINGS, PICTURES_SCHEME
from components._data.sources.contract import NoFilesError, SpanFile

_HIDDEN = ("_", ".")
"""Files and folders of Spark and others that hold no rows begin so: `_SUCCESS`, `.part-0.crc`."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def list_folder(filesystem: Any, folder: str) -> list[SpanFile]:
    """List the files of a folder, in the order of their paths, as files of one span.

    Raises:
        DataError: When it has no file, or files of several kinds.
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
        raise NoFilesError("is a folder without files", where=folder, remedy="correct data.source")
    _check_kinds(folder, files)
    return files


def is_in_folder(folder: str, path: str) -> bool:
    """Return whether a file is one of those that `list_folder` lists, once it is there."""
    root = folder.rstrip("/") + "/"
    return path.startswith(root) and not any(part.startswith(_HIDDEN) for part in path[len(root) :].split("/"))


def _check_kinds(folder: str, files: list[SpanFile]) -> None:
    """Refuse a folder with other files beside the table's: which of them are meant is not to be guessed."""
    kinds = Counter(_ending(file.name) for file in files)
    if len(kinds) > 1:
        found = ", ".join(f"{count:,} {ending or 'without an extension'}" for ending, count in kinds.most_common())
        remedy = "keep the files of the table in a folder of their own; names that begin with _ or . are skipped"
        if {ending.removeprefix(".") for ending in kinds} <= PICTURE_ENDINGS:
            remedy = f"of pictures, in a folder for each class: {PICTURES_SCHEME}FOLDER (docs/pictures.md)"
        raise DataError(f"is a folder with files of several kinds: {found}", where=folder, remedy=remedy)


def _ending(name: str) -> str:
    """Return the extension that names the format: `.csv` of `t.csv.gz`."""
    path = PurePosixPath(name)
    return (PurePosixPath(path.stem) if path.suffix in _COMPRESSED else path).suffix.lower()


def _partition(part: str) -> tuple[str, str | None] | None:
    key, is_pair, value = part.partition("=")
    if not (is_pair and key):
        return None
    return unquote(key), None if value == _NO_VALUE else unquote(value)
