"""The object store: upload and download of files and folders, each verified by hash. A folder on a laptop, S3 or GCS on a cluster."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components._core.errors import NaruError, ServiceError, UnavailableError
from components._core.files import files_below, hash_file, hash_stream, open_aside, write_bytes
from components._core.store.filesystems import is_local, open_filesystem
from components._core.system_errors import from_system, needs_user_action, remedy_for

_ASIDE = re.compile(r"\..+\.(?:[0-9a-f]{16}|[a-z0-9_]{8})")
"""Names of unfinished files, as `open_aside` makes them; with eight characters: an earlier Naru's."""


@dataclass(frozen=True)
class StoredObject:
    """An object.

    Attributes:
        uri: Its address.
        name: Its path below the folder that was listed.
        size: Its size in bytes.
        changed: When it was written, by the store's clock, in seconds since 1970.
    """

    uri: str
    name: str
    size: int
    changed: float


def upload(source: Path, uri: str) -> dict[str, str]:
    """Copy a file to `uri`, or a folder's files below it; one that exists with the same content is left alone.

    Args:
        source: The file or folder.
        uri: Target: a path, `file:///path` or `s3://bucket/prefix`.

    Returns:
        SHA-256 by name: the path below the folder, or the file's own name.

    Raises:
        ConfigError: Without permission to write to the store.
        ServiceError: When a file arrives damaged.
        UnavailableError: When the store does not answer.
    """
    files = [source] if source.is_file() else files_below(source)
    names = {path: path.name if path == source else path.relative_to(source).as_posix() for path in files}
    with _translated(uri) as (filesystem, base):
        return {
            name: _upload(filesystem, path, str(base) if path == source else f"{base}/{name}")
            for path, name in names.items()
        }


def put(content: bytes, uri: str, *, durable: bool = True) -> None:
    """Write an object atomically: aside and renamed in a folder on this machine, in one request elsewhere.

    Args:
        content: Content of the object.
        uri: Target: a path, `file:///path` or `s3://bucket/key`.
        durable: Of a folder, as in `write_bytes`.

    Raises:
        ConfigError: Without permission to write to the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, target):
        if is_local(filesystem):
            write_bytes(Path(target), content, durable=durable)
        else:
            filesystem.pipe_file(target, content)


def create(content: bytes, uri: str) -> bool:
    """Write an object atomically unless it exists; returns whether this call wrote it.

    On a store whose conditional writes have several winners (`conditional_writes.py`) two writers at once may both get True;
    `claims.py` gives writers turns on every store.

    Args:
        content: Content of the object; a write whose confirmation was lost is recognised by it.
        uri: Target: a path, `file:///path` or `s3://bucket/key`.

    Raises:
        ConfigError: Without permission to write to the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, target):
        try:
            if is_local(filesystem):
                _link_new(Path(target), content)
            else:
                filesystem.pipe_file(target, content, mode="create")
            return True
        except FileExistsError:
            return bool(filesystem.cat_file(target) == content)


def _link_new(path: Path, content: bytes) -> None:
    """Write a temporary file and link it, which fails where the name is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = open_aside(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    finally:
        Path(aside).unlink()


def fetch(uri: str, folder: Path) -> Path:
    """Fetch a folder of the store: used in place when the store is a local folder, else copied to `folder`.

    Raises:
        ServiceError: When the store has no such folder.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, base):
        if not filesystem.isdir(base):
            remedy = "it may have been removed: run the pipeline again"
            raise ServiceError("no such folder in the store", where=uri, remedy=remedy)
        if is_local(filesystem):
            return Path(base)
        for name in sorted(filesystem.find(base)):
            write_bytes(folder / str(name)[len(base) :].lstrip("/"), filesystem.cat_file(name))
    return folder


def fetch_file(uri: str, folder: Path) -> Path:
    """Fetch a file of the store: used in place when the store is a local folder, else copied into `folder`.

    Raises:
        ServiceError: When the store has no such file.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, base):
        if not filesystem.isfile(base):
            remedy = "it may have been removed, or never sent: naru apply, naru submit and naru run send it again"
            raise ServiceError("no such file in the store", where=uri, remedy=remedy)
        if is_local(filesystem):
            return Path(base)
        here = folder / Path(base).name
        write_bytes(here, filesystem.cat_file(base))
    return here


def remove_leftovers(uri: str) -> None:
    """Remove the unfinished files of killed writers below a local folder; other stores have no half-written objects."""
    filesystem, base = open_filesystem(uri)
    if is_local(filesystem):
        for path in Path(base).rglob(".*"):
            if _ASIDE.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def read_bytes(uri: str, most: int | None = None) -> bytes | None:
    """Read an object; None when it does not exist.

    Args:
        uri: Its address.
        most: Most bytes that are read, from its beginning; None: all.

    Raises:
        ConfigError: Without permission to read the store.
        UnavailableError: When the store does not answer.
    """
    try:
        filesystem, path = open_filesystem(uri)
        if most is None:
            return bytes(filesystem.cat_file(path))
        with filesystem.open(path, "rb") as stream:
            return bytes(stream.read(most))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ImportError) as error:
        raise _unavailable(uri, error) from error


def list_names(uri: str) -> list[str]:
    """List the names of the files and folders in a folder of the store, sorted; none where there is no such folder.

    Raises:
        ConfigError: Without permission or credentials to read the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, base):
        try:
            return sorted(
                str(found["name"]).rstrip("/").rsplit("/", 1)[-1] for found in filesystem.ls(base, detail=True)
            )
        except (FileNotFoundError, NotADirectoryError):
            return []


def list_objects_below(uri: str) -> list[StoredObject]:
    """List all objects below a folder of the store, by name; none where there is no such folder.

    Raises:
        ConfigError: Without permission or credentials to read the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, base):
        try:
            found = filesystem.find(base, detail=True)
        except FileNotFoundError:
            return []
    root, prefix = uri.rstrip("/"), f"{base.rstrip('/')}/"
    listed = {str(path).removeprefix(prefix): entry for path, entry in found.items() if str(path).startswith(prefix)}
    return [
        StoredObject(f"{root}/{name}", name, int(entry["size"] or 0), date_of(entry))
        for name, entry in sorted(listed.items())
    ]


def date_of(entry: dict[str, Any]) -> float:
    """Return the store's date of an object, which fsspec's file systems name and format differently."""
    value = next((entry[name] for name in ("mtime", "LastModified", "updated", "created") if entry.get(name)), 0.0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.timestamp() if isinstance(value, datetime) else float(value)


def remove(uri: str) -> None:
    """Remove a file, or a folder with all that is in it.

    Raises:
        ConfigError: Without permission to write to the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, path):
        if is_local(filesystem):
            shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink(missing_ok=True)
            return
        for name in [path] if filesystem.isfile(path) else filesystem.find(path):
            filesystem.rm_file(name)


def find_missing(uri: str, names: Sequence[str]) -> list[str]:
    """Return the URIs of the files that are missing in a folder of the store.

    Raises:
        ConfigError: Without permission or credentials to read the store.
        UnavailableError: When the store does not answer.
    """
    with _translated(uri) as (filesystem, base):
        return [f"{uri}/{name}" for name in names if not filesystem.isfile(f"{base}/{name}")]


def absolute_uri(uri: str) -> str:
    """Convert a path to `file:///...`, so that it means the same to every program; other URIs stay as they are."""
    return uri if "://" in uri else Path(uri).absolute().as_uri()


def _upload(filesystem: Any, source: Path, target: str) -> str:
    sent = hash_file(source)
    if filesystem.exists(target) and _hash(filesystem, target) == sent:
        return sent
    if is_local(filesystem):
        write_bytes(Path(target), source.read_bytes())
    else:
        filesystem.put_file(os.fspath(source), target)
    arrived = _hash(filesystem, target)
    if arrived != sent:
        message = f"arrived with hash {arrived[:12]} and was sent with {sent[:12]}"
        raise ServiceError(message, where=target, remedy="run again; if it stays, check the store's disk and proxy")
    return sent


def parent_of(uri: str) -> str:
    """Return the parent folder of an address in the store, such as the version of one of its parts."""
    return uri.rstrip("/").rpartition("/")[0]


def _hash(filesystem: Any, name: str) -> str:
    with filesystem.open(name, "rb") as file:
        return hash_stream(file)


@contextmanager
def _translated(uri: str) -> Iterator[tuple[Any, str]]:
    """The file system and path of an address; an error of the store inside the block is raised as one of Naru's."""
    try:
        filesystem, path = open_filesystem(uri)
        yield filesystem, path
    except (OSError, ImportError) as error:
        raise _unavailable(uri, error) from error


def _unavailable(uri: str, error: Exception) -> NaruError:
    if isinstance(error, OSError) and needs_user_action(error):
        return from_system(error, uri)
    otherwise = "check the disk, the permissions and the network, then run again; NARU_STORE names the store"
    remedy = remedy_for(error) or otherwise
    return UnavailableError(f"the object store failed: {error}", where=uri, remedy=remedy)
