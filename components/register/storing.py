"""The parts of a version in the object store: copied once, verified by hash, and listed with their hashes."""

from __future__ import annotations

from pathlib import Path

from components._core.artifacts import DIGESTS
from components._core.errors import NaruError
from components._core.files import write_json
from components._core.store import remove_leftovers, upload


def store_parts(parts: dict[str, Path], base: str, digests: Path) -> dict[str, str]:
    """Copy the parts of a version below `base`, and last their list; what is there already with the same content stays.

    Args:
        parts: File or folder by the name it gets in the store.
        base: URI of the version's folder.
        digests: Where the list is written on this machine.

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
    remove_leftovers(base)  # of a try that was killed: files that nobody lists would be refused later
    write_json(digests, hashes)
    upload(digests, f"{base}/{DIGESTS}")
    return dict(sorted(hashes.items()))
