"""Stores the parts of a version in the object store: copied once, verified by hash, and listed with their hashes."""

from __future__ import annotations

from pathlib import Path

from components._core.errors import NaruError
from components._core.files import files_below, write_json
from components._core.store.object_store import remove_leftovers, upload
from components._core.types.artifact_files import DIGESTS


def store_parts(parts: dict[str, Path], base: str, digests: Path) -> dict[str, str]:
    """Copy the parts of a version below `base`, and their list last; a stored part with the same content is kept.

    Args:
        parts: File or folder by its name in the store. A file that is named in addition to its folder replaces the one in the
            folder, which is never stored: a name in the store never has two contents.
        base: URI of the version's folder.
        digests: Local path of the list.

    Returns:
        SHA-256 by name below `base`, sorted.

    Raises:
        NaruError: When a part is missing, as an earlier stage did not write it.
        ServiceError: When the store failed.
    """
    files: dict[str, Path] = {}
    for name, path in parts.items():
        if not path.exists():
            raise NaruError(f"the artifact has no {path.name}", where=str(path), remedy="this is a bug in Naru")
        below = {f"{name}/{each.relative_to(path).as_posix()}": each for each in files_below(path)}
        files |= {name: path} if path.is_file() else below
    hashes = {name: upload(path, f"{base}/{name}")[path.name] for name, path in files.items()}
    remove_leftovers(base)  # left by a killed attempt: unlisted files would be refused later
    write_json(digests, hashes)
    upload(digests, f"{base}/{DIGESTS}")
    return dict(sorted(hashes.items()))
