"""Atomic file writes (a temporary file, then a rename), and fingerprints of contents."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: to a temporary file, flushed to disk, then renamed."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON with sorted keys, atomically."""
    write_text(path, dump_json(value))


def dump_json(value: Any) -> str:
    """Return the text that `write_json` writes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file atomically: to a temporary file, then renamed.

    Args:
        path: The file; its folder is made.
        content: All of it.
        durable: Whether it is flushed to disk before it is renamed, so that it survives a power cut. The flush waits for what
            others write as well, so what is made again or checked when it is opened goes without.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor, aside = open_aside(path)
    except OSError as error:
        error.filename = str(path.parent)  # the folder refuses; the temporary name means nothing to a person
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def open_aside(path: Path) -> tuple[int, str]:
    """Create a hidden file beside a path, to be renamed to it later; returns its descriptor and name.

    `mkstemp` is not used, since only the owner may read its files: these have the permissions of the umask.
    """
    aside = str(path.parent / f".{path.name}.{secrets.token_hex(8)}")
    return os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), aside


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hash_stream(file)


def hash_stream(stream: BinaryIO) -> str:
    """Return the SHA-256 of the rest of an open file, in hexadecimal, read in blocks."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def files_below(folder: Path) -> list[Path]:
    """List every file below a folder, sorted by relative path, so that the order is the same on every machine."""
    return sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.relative_to(folder).as_posix()
    )


def fingerprint_of(parts: Iterable[str]) -> str:
    """Return one fingerprint (32 hexadecimal digits) of several strings; the order counts."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:32]


def fingerprint_folder(folder: Path) -> str:
    """Return the fingerprint of the names and contents of all files below a folder (or of one file)."""
    if folder.is_file():
        return fingerprint_of([hash_file(folder)])
    return fingerprint_of(
        part for path in files_below(folder) for part in (path.relative_to(folder).as_posix(), hash_file(path))
    )


def link_file(source: str | Path, target: str | Path) -> None:
    """Link a file under another name; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
