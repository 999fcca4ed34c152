"""A folder of parts, on this machine or in an object store.

    OUTPUT/part-000000-<sha256>.parquet
    OUTPUT/_rejected/rejected-000000-<sha256>.jsonl    rejected rows, as far as there are some
    OUTPUT/_manifest.json                              what was predicted by what, with the parts and their digests

On this machine the folder appears with all of its files. An object store has no such step: there `_started.json` says that parts are
being written, with those that they replace, and the manifest is the last object. Readers of tables leave out names that begin with `_`, as
Spark's do. A file that these two do not list, or with another digest, is a person's: the folder is left as it is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from components._core.files import hash_stream, write_bytes
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import list_names, put, remove
from components.predict.destinations.contract import (
    Batch,
    Destination,
    Manifest,
    dump_manifest,
    read_manifest,
    refuse_changed,
    refuse_other,
)
from components.predict.output_formats import OutputFormat
from components.predict.work_folder import StoredFile

MANIFEST, STARTED = "_manifest.json", "_started.json"
REJECTED = "_rejected"


@dataclass(frozen=True)
class FolderDestination(Destination):
    """A folder.

    Attributes:
        uri: Its path or URI.
        format: Format of its parts.
        replace: Whether predictions that are there are replaced.
    """

    uri: str
    format: OutputFormat
    replace: bool

    def find_complete(self, batch: str) -> Manifest | None:
        """See `Destination`."""
        filesystem, path = open_filesystem(self.uri)
        if filesystem.isfile(path):
            raise refuse_other(self.uri, None)
        names = set(_all_names(self.uri))
        if not names:
            return None
        manifest, started = (read_manifest(f"{self.uri}/{name}") for name in (MANIFEST, STARTED))
        if manifest and manifest["batch"] == batch and _listed(manifest).keys() <= names:
            return manifest
        found = started or manifest
        if found is None or not (found["batch"] == batch or self.replace):
            raise refuse_other(self.uri, found)
        known = {**_listed(manifest), **_listed(started)}
        for name in sorted(names - {MANIFEST, STARTED}):
            if name not in known or _digest(f"{self.uri}/{name}") != known[name]:
                raise refuse_changed(f"{self.uri}/{name}")
        return None

    def publish(self, batch: Batch) -> None:
        """See `Destination`."""
        filesystem, path = open_filesystem(self.uri)
        if is_local(filesystem):
            folder = Path(path).resolve()  # a link to a folder stays one
            with _locked(folder.parent):
                if self.find_complete(batch.manifest["batch"]) is None:
                    self._publish_local(batch, folder)
        else:
            self._publish_objects(batch)

    def _publish_local(self, batch: Batch, folder: Path) -> None:
        aside, before = (folder.with_name(f".{folder.name}.{kind}") for kind in ("naru-partial", "naru-replaced"))
        shutil.rmtree(aside, ignore_errors=True)
        for name, file in _files(batch):
            batch.work.place_file(file, aside / name)
        write_bytes(aside / MANIFEST, dump_manifest(batch.manifest))
        shutil.rmtree(before, ignore_errors=True)
        if folder.exists():
            os.replace(folder, before)
        os.replace(aside, folder)
        shutil.rmtree(before, ignore_errors=True)

    def _publish_objects(self, batch: Batch) -> None:
        names = _all_names(self.uri)
        known = {**_listed(read_manifest(f"{self.uri}/{MANIFEST}")), **_listed(read_manifest(f"{self.uri}/{STARTED}"))}
        earlier = {name: digest for name, digest in known.items() if name in names}
        put(dump_manifest({**batch.manifest, "replaced": earlier}), f"{self.uri}/{STARTED}")
        written = {MANIFEST}
        for name, file in _files(batch):
            put(batch.work.read_file(file), f"{self.uri}/{name}")
            written.add(name)
        put(dump_manifest(batch.manifest), f"{self.uri}/{MANIFEST}")
        for name in [*sorted(earlier.keys() - written), STARTED]:
            remove(f"{self.uri}/{name}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other runs from publishing into a folder; without effect where the file system has no locks."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _files(batch: Batch) -> Iterator[tuple[str, StoredFile]]:
    yield from ((file.name, file) for file in batch.answers)
    yield from ((f"{REJECTED}/{file.name}", file) for file in batch.rejected)


def _listed(manifest: Manifest | None) -> dict[str, str]:
    """Return the digests of the files that a manifest lists, and of those that they replace, by name."""
    if manifest is None:
        return {}
    parts = {part["name"]: part["sha256"] for part in manifest["parts"]}
    rejected = {f"{REJECTED}/{part['name']}": part["sha256"] for part in manifest["rejected_parts"]}
    return {**manifest.get("replaced", {}), **parts, **rejected}


def _digest(uri: str) -> str:
    """Return the digest of a file; empty when it is something else."""
    filesystem, path = open_filesystem(uri)
    if not filesystem.isfile(path):
        return ""
    with filesystem.open(path, "rb") as stream:
        return hash_stream(stream)


def _all_names(uri: str) -> list[str]:
    inside = [f"{REJECTED}/{name}" for name in list_names(f"{uri}/{REJECTED}")]
    return [name for name in list_names(uri) if name != REJECTED] + inside
