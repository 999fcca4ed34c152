"""One file, on this machine or in an object store, with two beside it.

    predictions.csv
    predictions.csv.rejected.jsonl    rejected rows, as far as there are some
    predictions.csv.manifest.json     what was predicted by what, with the digest of the file

The manifest is written before the file gets its name, so that a run that was killed between the two knows its own file again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from components._core.files import hash_file, hash_stream, open_aside
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import put, remove, upload
from components.predict.destinations.contract import (
    Batch,
    Destination,
    Manifest,
    dump_manifest,
    read_manifest,
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
        is_there = filesystem.isfile(path)
        if manifest and manifest["batch"] == batch:
            digest = manifest.get("sha256")
            is_same = not digest or (is_there and _digest(filesystem, path) == digest)
            return manifest if is_same else None
        if (is_there or manifest) and not self.replace:
            raise refuse_other(self.uri, manifest)
        return None

    def publish(self, batch: Batch) -> None:
        """See `Destination`."""
        rejected, manifest = self.uri + REJECTED, self.uri + MANIFEST
        if batch.rejected:
            _write_whole(rejected, lambda file: file.writelines(batch.read(batch.rejected)))
        else:
            remove_if_there(rejected)
        if batch.answers:
            _write_whole(
                self.uri,
                lambda file: self.format.join(batch.read(batch.answers), file),
                lambda digest: put(dump_manifest({**batch.manifest, "sha256": digest}), manifest),
            )
        else:
            put(dump_manifest({**batch.manifest, "sha256": ""}), manifest)
            remove_if_there(self.uri)


def _write_whole(
    uri: str, write: Callable[[BinaryIO], object], before: Callable[[str], object] = lambda digest: None
) -> None:
    """Write a file aside, and give it its name.

    Args:
        uri: Its path or URI.
        write: Writes its content.
        before: Called with its digest before it gets its name.
    """
    filesystem, path = open_filesystem(uri)
    if not is_local(filesystem):
        with tempfile.TemporaryDirectory(prefix="naru-predict-") as folder:
            copy = Path(folder) / path.rpartition("/")[2]
            with copy.open("wb") as file:
                write(file)
            before(hash_file(copy))
            upload(copy, uri)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = open_aside(Path(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        before(hash_file(Path(aside)))
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)


def remove_if_there(uri: str) -> None:
    """Remove a file, unless there is none."""
    filesystem, path = open_filesystem(uri)
    if filesystem.isfile(path):
        remove(uri)


def _digest(filesystem: Any, path: str) -> str:
    with filesystem.open(path, "rb") as stream:
        return hash_stream(stream)
