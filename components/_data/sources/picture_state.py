"""The state of the files of pictures that the rows of a table name."""

from __future__ import annotations

from components._core.files import fingerprint_of
from components._core.project.data_config import Data
from components._core.store.filesystems import open_filesystem
from components._data.sources.files import metadata_of
from components._data.sources.registry import is_of_files


def fingerprint_pictures(data: Data) -> list[str]:
    """Return the fingerprint of the files in the folder from which paths begin, of names and metadata; none without such a folder.

    The rows are not read for it, so it covers all files there: one that no row names makes ingest read the table again, and no more.

    Args:
        data: The project's `data` section, with locations that can be read from here.
    """
    if data.pictures is None or not is_of_files(data.source):
        return []
    folder = data.pictures.folder or _folder_of(data.source)
    filesystem, path = open_filesystem(folder)
    paths = sorted(map(str, filesystem.find(path)))
    return [fingerprint_of(part for each in paths for part in (each, metadata_of(filesystem, each)))]


def _folder_of(source: str) -> str:
    """Return the folder of a table's file; of a pattern of spans the last one without a placeholder."""
    return source.partition("{")[0].partition("*")[0].rpartition("/")[0] or "."
