"""SHA-256 of the files of a model or a registered version: listed when it is made, verified before it is opened.

    <version>/model/sha256.json   lists the files of the model: a server has nothing else
    <version>/sha256.json         lists every file of the version, that list too; its own digest is in the ledger's line

So one digest kept outside the store covers every byte inside it. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.errors import ModelError
from components._core.files import dump_json, files_below, hash_file, write_json
from components._core.store.object_store import fetch, parent_of, read_bytes
from components._core.types.artifact_files import DIGESTS

_REMEDY = "restore it from a backup, go back to another version (naru rollback), or train again"
_MOST_SHOWN = 3
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MODEL = "model"
_unverified: set[str] = set()
"""Places that this process has warned about."""


@dataclass(frozen=True)
class Digests:
    """The digests of a folder's files.

    Attributes:
        files: SHA-256 in hexadecimal by path below the folder.
        place: Location of the list, for messages.
    """

    files: dict[str, str]
    place: str

    @property
    def model(self) -> str:
        """Digest of the list in the model's folder, from the list of the whole version; empty when it has none."""
        return self.files.get(f"{_MODEL}/{DIGESTS}", "")

    @classmethod
    def parse(cls, content: bytes, place: str, digest: str = "") -> Digests:
        """Parse a list, and check its digest if one is given.

        Raises:
            ModelError: When its digest differs, or it is damaged.
        """
        if digest and (found := hashlib.sha256(content).hexdigest()) != digest:
            message = (
                f"{DIGESTS} has changed since the model was registered: SHA-256 {found[:12]}, registered {digest[:12]}"
            )
            raise ModelError(message, where=place, remedy=_REMEDY)
        try:
            files: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{DIGESTS} cannot be read: {error}", where=place, remedy=_REMEDY) from None
        if not (isinstance(files, dict) and all(_is_sha256(value) for value in files.values())):
            raise ModelError(f"{DIGESTS} does not list files with their SHA-256", where=place, remedy=_REMEDY)
        return cls(files, place)

    def check(self, folder: Path, parts: Sequence[str] = (), below: str = "") -> None:
        """Check a folder's files against the list.

        Args:
            folder: The folder to check.
            parts: Files and folders of it to check; empty: everything.
            below: Path of the folder in the list; empty: the list is of this folder.

        Raises:
            ModelError: When a file has changed, is missing, or is not listed; with the name of each.
        """
        prefix = f"{below}/" if below else ""
        listed = {name.removeprefix(prefix): of for name, of in self.files.items() if name.startswith(prefix)}
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if _is_compared(path)}
        if not below or (below == _MODEL and prefix + DIGESTS not in self.files):
            found.pop(DIGESTS, None)
        names = sorted(name for name in listed.keys() | found.keys() if _is_in(name, parts))
        wrong = [problem for name in names if (problem := _compare(name, found.get(name), listed.get(name)))]
        if wrong:
            more = f", and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
            raise ModelError("; ".join(wrong[:_MOST_SHOWN]) + more, where=str(folder), remedy=_REMEDY)

    def check_file(self, path: Path, name: str) -> None:
        """Check one file against the list; errors as in `check`."""
        if problem := _compare(name, path if path.is_file() else None, self.files.get(name)):
            raise ModelError(problem, where=str(path), remedy=_REMEDY)


def write_digests(folder: Path) -> str:
    """Write the digests of a folder's files to its `sha256.json`; returns the digest of the list."""
    files = list_digests(folder)
    write_json(folder / DIGESTS, files)
    return digest_of(files)


def list_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a folder's files by relative path, without the list itself."""
    found = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    found.pop(DIGESTS, None)
    return {name: hash_file(path) for name, path in found.items()}


def digest_of(files: dict[str, str]) -> str:
    """Return the digest of the list of these files."""
    return hashlib.sha256(dump_json(files).encode()).hexdigest()


def verify_model(model: Path, digest: str = "") -> None:
    """Verify a model's folder by the list in it.

    Args:
        model: The folder, on this machine.
        digest: Expected digest of the list; empty: unknown, and the list in the folder is trusted. A folder without
            a list is from an earlier Naru, which is warned about once.

    Raises:
        ModelError: When a file has changed, is missing, or is not listed.
    """
    if not (model / DIGESTS).is_file():
        _refuse_or_warn(str(model), digest)
        return
    Digests.parse((model / DIGESTS).read_bytes(), str(model / DIGESTS), digest).check(model)


def digest_of_model(model: Path) -> str:
    """Return the digest of the list in a model's folder, for later verification; empty when it has none."""
    return hash_file(model / DIGESTS) if (model / DIGESTS).is_file() else ""


def read_registered(version: str, digest: str) -> Digests | None:
    """Read the list of a registered version in the store; None for a version of an earlier Naru, which has none.

    Args:
        version: URI of the version's folder.
        digest: Digest of the list in the ledger's line or the registration.

    Raises:
        ModelError: When the list is not the registered one.
        UnavailableError: When the store does not answer.
    """
    place = f"{version.rstrip('/')}/{DIGESTS}"
    content = read_bytes(place)
    if content is not None:
        return Digests.parse(content, place, digest)
    if digest:
        _refuse_or_warn(version, digest)
    return None


def fetch_verified(uri: str, digest: str, folder: Path) -> Path:
    """Fetch a folder of a registered version to this machine, and verify it.

    Args:
        uri: URI as in `s3://store/flights/models/1/artifacts/model`.
        digest: Digest of the version's list in the ledger's line or the registration; empty: a line of an earlier Naru.
        folder: An empty folder to copy to; a local folder is used in place.

    Raises:
        ModelError: When a file has changed, is missing, or is not listed.
        ServiceError: When the store has no such folder.
        UnavailableError: When the store does not answer.
    """
    there = fetch(uri, folder)
    version, name = parent_of(uri), uri.rstrip("/").rpartition("/")[2]
    listed = read_registered(version, digest)
    if listed is None:
        warn_unverified(str(there))
    else:
        listed.check(there, below=name)
    return there


def fetch_version(model: str, digest: str, folder: Path, parts: Sequence[str] = (), *, warn: bool = True) -> Path:
    """Fetch the folder of a registered version to this machine, and verify it.

    Args:
        model: URI of the version's model.
        digest: As in `fetch_verified`, like the errors.
        folder: An empty folder to copy to.
        parts: The files and folders of it to verify; empty: all.
        warn: Whether to warn that a version cannot be verified; False if a server is started, which warns itself.
    """
    version = parent_of(model)
    there = fetch(version, folder)
    listed = read_registered(version, digest)
    if listed is not None:
        listed.check(there, parts)
    elif warn:
        warn_unverified(model)
    return there


def check_content(content: bytes, uri: str, part: str, digest: str) -> None:
    """Check the content of a file of a registered version against the version's list.

    Args:
        content: Bytes of the file.
        uri: URI of the file.
        part: URI of the folder or file right below the version's folder that it belongs to.
        digest: As in `fetch_verified`, like the errors.
    """
    version = parent_of(part)
    listed = read_registered(version, digest)
    if listed is None:
        warn_unverified(part)
        return
    name = uri.removeprefix(version).lstrip("/")
    if problem := _differs(name, hashlib.sha256(content).hexdigest(), listed.files.get(name)):
        raise ModelError(problem, where=uri, remedy=_REMEDY)


def warn_unverified(place: str) -> None:
    """Warn, once for each place, that its files cannot be verified."""
    if place not in _unverified:
        _unverified.add(place)
        message = f"{place} was registered by an earlier Naru, without digests: its files are used unverified"
        sys.stderr.write(f"naru: warning: {message}\n  -> the next deployed version has them\n")


def _refuse_or_warn(place: str, digest: str) -> None:
    if digest:
        message = f"{DIGESTS}, which lists the model's files, is missing; registered with SHA-256 {digest[:12]}"
        raise ModelError(message, where=place, remedy=_REMEDY)
    warn_unverified(place)


def _compare(name: str, path: Path | None, digest: str | None) -> str:
    if path is None:
        return f"{name} is missing"
    return _differs(name, hash_file(path) if path.is_file() else "", digest)


def _differs(name: str, found: str, digest: str | None) -> str:
    if digest is None:
        return f"{name} exists but was not registered"
    if found == digest:
        return ""
    return f"{name} has changed since it was registered: SHA-256 {found[:12] or 'of no file'}, registered {digest[:12]}"


def _is_compared(path: Path) -> bool:
    """Return whether a path is compared: all but plain folders, so that links and pipes are noticed."""
    return path.is_symlink() or not path.is_dir()


def _is_in(name: str, parts: Sequence[str]) -> bool:
    return not parts or any(name == part or name.startswith(f"{part}/") for part in parts)


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None
