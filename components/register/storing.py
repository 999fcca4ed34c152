"""The parts of a version in the object store: copied once, verified by hash."""

from __future__ import annotations

from pathlib import Path

from components._core.errors import NaruError
from components._core.store import upload


def store_parts(parts: dict[str, Path], base: str) -> dict[str, str]:
    """Copy the parts of a version below `base`; what is there already with the same content stays.

    Args:
        parts: File or folder by the name it gets in the store.
        base: URI of the version's folder.

    Returns:
        SHA-256 by name below `base`, sorted.

    Raises:
        NaruError: When a part is missing: a stage before did not write what it says.
        ServiceError: When the store failed.
    """
    hashes: dict[str, str] = {}
    for name, path in parts.items():
        if not path.exists():
            raise NaruError(f"the artifact has no {path.name}", where=str(path), remedy="this is a fault in Naru")
        stored = upload(path, f"{base}/{name}")
        hashes |= {name if path.is_file() else f"{name}/{below}": digest for below, digest in stored.items()}
    return dict(sorted(hashes.items()))
