"""The state of the files of pictures that the rows of a table name."""

from __future__ import annotations

from components._core.files import fingerprint_of
from components._core.project.data_config import Data
from components._core.store.filesystems import open_filesystem
from components._data.sources.files import metadata_of
from components._data.sources.registry import is_of_files


def fingerprint_pictures(data: Data) -> list[str]:
    """Return the fingerprint of the files in the folder from which paths begin, of names and metadata; none without such a folder.

    The rows are not read for it, so it covers all files there: one that no row names makes ingest read the table again, and no more. The
    folder may be the project's own, so what tools keep in hidden folders, as the store of runs, counts only where its name is a picture's.

    Args:
        data: The project's `data` section, with locations that can be read from here.
    """
    if data.pictures is None or not is_of_files(data.source):
        return []
    folder = data.pictures.folder or _folder_of(data.source)
    filesystem, path = open_filesystem(folder)
    below = len(path.rstrip("/"))
    paths = sorted(each for each in map(str, filesystem.find(path)) if _may_be_named(each[below:]))
    return [fingerprint_of(part for each in paths for part in (each, metadata_of(filesystem, each)))]


def _may_be_named(below: str) -> bool:
    from components._core.pictures.measures import format_of_name

    *folders, name = below.strip("/").split("/")
    is_kept = any(folder.startswith(".") or folder == "__pycache__" for folder in folders)
    return not is_kept or format_of_name(name) is not None


def _folder_of(source: str) -> str:
    """Return the folder of a table's file; of a pattern of spans the last one without a placeholder."""
    return source.partition("{")[0].partition("*")[0].rpartition("/")[0] or "."
