"""One file, on this machine or in an object store, with two beside it.

    predictions.csv
    predictions.csv.rejected.jsonl    rejected rows, as far as there are some
    predictions.csv.manifest.json     what was predicted by what, with the digests of the two

The manifest is written before the others get their names, and has the digests of those that they replace, so that a run that was killed
in between knows the files again. A file with another digest is a person's, and stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from components._core.files import hash_file, hash_stream, open_aside
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import put, remove, upload
from components._core.temporary_folders import locked, remove_if_abandoned, temporary_folder
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

MANIFEST, REJECTED = ".manifest.json", ".rejected.jsonl"


@dataclass(frozen=True)
class FileDestination(Destination):
    """A file.

    Attributes:
        uri: Its path or URI.
        format: Its format.
        replace: Whether a file that is there is replaced.
    """

    uri: str
    format: OutputFormat
    replace: bool

    def find_complete(self, batch: str) -> Manifest | None:
        """See `Destination`."""
        filesystem, path = open_filesystem(self.uri)
        manifest = read_manifest(self.uri + MANIFEST)
        if filesystem.isdir(path):
            raise refuse_other(self.uri, None)
        there = self._digests()
        if manifest is None:
            for uri in there or filter(_is_file, [self.uri + MANIFEST]):
                raise refuse_other(uri, None)
            return None
        if manifest["batch"] != batch and not self.replace:
            raise refuse_other(self.uri, manifest)
        wanted = {self.uri: manifest.get("sha256"), self.uri + REJECTED: manifest.get("rejected_sha256")}
        for uri, digest in there.items():
            if digest not in (wanted[uri], *manifest.get("replaced", [])):
                raise refuse_changed(uri)
        is_complete = there == {uri: digest for uri, digest in wanted.items() if digest}
        return manifest if manifest["batch"] == batch and is_complete else None

    def publish(self, batch: Batch) -> None:
        """See `Destination`."""
        writers: dict[str, Callable[[BinaryIO], object] | None] = {
            self.uri + REJECTED: (lambda file: file.writelines(batch.read(batch.rejected))) if batch.rejected else None,
            self.uri: (lambda file: self.format.join(batch.read(batch.answers), file)) if batch.answers else None,
        }
        earlier = read_manifest(self.uri + MANIFEST)
        is_resumed = earlier is not None and earlier["batch"] == batch.manifest["batch"]
        with ExitStack() as stack:
            files = {uri: stack.enter_context(_written_aside(uri, write)) for uri, write in writers.items() if write}
            digests = {uri: hash_file(path) for uri, path in files.items()}
            replaced = earlier.get("replaced", []) if earlier and is_resumed else sorted(self._digests().values())
            manifest = {
                **batch.manifest,
                "sha256": digests.get(self.uri, ""),
                "rejected_sha256": digests.get(self.uri + REJECTED, ""),
                **({"replaced": replaced} if replaced else {}),
            }
            put(dump_manifest(manifest), self.uri + MANIFEST)
            for uri in writers:
                if uri in files:
                    _give_name(files[uri], uri)
                elif _is_file(uri):
                    remove(uri)

    def _digests(self) -> dict[str, str]:
        """Return the digests of the file and of the rejected rows, as far as they are there."""
        return {uri: _digest(uri) for uri in (self.uri, self.uri + REJECTED) if _is_file(uri)}


@contextmanager
def _written_aside(uri: str, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """Write a file where it can be renamed or uploaded; what is left of it is removed."""
    filesystem, path = open_filesystem(uri)
    if not is_local(filesystem):
        with temporary_folder("naru-predict-") as folder:
            copy = folder / path.rpartition("/")[2]
            with copy.open("wb") as file:
                write(file)
            yield copy
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(Path(path))
    descriptor, aside = open_aside(Path(path))
    try:
        with locked(Path(aside)):
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            yield Path(aside)
    finally:
        Path(aside).unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed runs left beside the file: unfinished ones of it, and of its manifest."""
    endings = f"({re.escape(MANIFEST)})?"
    unfinished = re.compile(rf"\.{re.escape(path.name)}{endings}\.[0-9a-f]{{16}}")
    for left in path.parent.iterdir():
        if unfinished.fullmatch(left.name):
            remove_if_abandoned(left)


def _give_name(file: Path, uri: str) -> None:
    filesystem, path = open_filesystem(uri)
    if is_local(filesystem):
        os.replace(file, path)
    else:
        upload(file, uri)


def _is_file(uri: str) -> bool:
    filesystem, path = open_filesystem(uri)
    return bool(filesystem.isfile(path))


def _digest(uri: str) -> str:
    filesystem, path = open_filesystem(uri)
    with filesystem.open(path, "rb") as stream:
        return hash_stream(stream)
