"""The interface of destinations: they take the complete parts of a batch, all or none, however often."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from components._core.errors import ConfigError
from components._core.files import dump_json
from components._core.store.object_store import read_bytes
from components.predict.output_formats import OutputFormat
from components.predict.work_folder import PartRecord, StoredFile, WorkFolder

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Output:
    """Where and how predictions are written.

    Attributes:
        location: A file that ends in .parquet, .csv or .jsonl, else a folder; each a path, `s3://bucket/key` or `gs://bucket/key`;
            or a database.
        format: Format of a folder's files; empty: Parquet.
        table: Table of a database.
        prefix: What stands before the names of added columns.
        replace: Whether predictions that are there are replaced.
    """

    location: str
    format: str = ""
    table: str = ""
    prefix: str = ""
    replace: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch whose parts are complete.

    Attributes:
        work: The folder with its parts.
        records: Their records, in order.
        manifest: What was predicted by what.
    """

    work: WorkFolder
    records: Sequence[PartRecord]
    manifest: Manifest

    @property
    def answers(self) -> list[StoredFile]:
        """The files with answered rows."""
        return [record.answers for record in self.records if record.answers]

    @property
    def rejected(self) -> list[StoredFile]:
        """The files with rejected rows."""
        return [record.rejected for record in self.records if record.rejected]

    def read(self, files: Sequence[StoredFile]) -> Iterator[bytes]:
        """Yield the content of files."""
        return (self.work.read_file(file) for file in files)


class Destination(ABC):
    """A place for predictions."""

    format: OutputFormat

    @abstractmethod
    def find_complete(self, batch: str) -> Manifest | None:
        """Return the manifest of a batch whose output is there; None when it is to be written.

        Args:
            batch: Identity of the batch.

        Raises:
            ConfigError: When something else is there that must not be replaced.
        """

    @abstractmethod
    def publish(self, batch: Batch) -> None:
        """Write the output of a batch. What an earlier run left unfinished is written again.

        Raises:
            ConfigError: Without permission to write.
            ServiceError: When a part is missing or damaged.
            UnavailableError: When the store or database does not answer.
        """


def read_manifest(uri: str) -> Manifest | None:
    """Read a manifest; None when there is none, or the file is something else."""
    try:
        found = json.loads(read_bytes(uri) or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("batch"), str) else None


def dump_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as the content of a file."""
    return dump_json(manifest).encode()


def refuse_other(where: str, found: Manifest | None) -> ConfigError:
    """Return the error for a place that holds something else."""
    if found is None:
        remedy = "name another output, or move away what is there"
        return ConfigError("something else is there, and not predictions of Naru", where=where, remedy=remedy)
    what = (
        f"predictions of version {found.get('version')} of {found.get('project')} are there, of other rows or settings, or as an earlier "
        "Naru wrote them"
    )
    return ConfigError(what, where=where, remedy="name another output, or replace them with --replace")


def refuse_changed(where: str) -> ConfigError:
    """Return the error for a file that Naru did not write, or that was changed since."""
    remedy = "move it away, or name another output: --replace replaces only what Naru wrote"
    return ConfigError("is not a file as Naru wrote it", where=where, remedy=remedy)
