"""The parts of an unfinished batch in the store, so that a killed run goes on where it was.

    <store>/<project>/predictions/<output>/<batch>/
        begun.json                       when the batch began; the time of its lines in the request log
        part-000003-<sha256>.parquet     rows with their answers, named by their content
        rejected-000003-<sha256>.jsonl   rows that were refused
        labels-000003.npz                labels and scores, where the table has the label
        log-000003.jsonl                 its lines for the request log, where the project has one
        000003.json                      the record of the part; written last, so that a part without one is made again

Every object is written whole. What is written twice has the same name and content. When the output is complete, the folders of all batches of this
output are removed: an earlier one whose source has changed since is never continued. Those of other outputs that nobody has written to for two
weeks are removed by the next batch of the project.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components._core.errors import NaruError, ServiceError
from components._core.files import dump_json, link_file, write_bytes
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import list_names, put, read_bytes, remove, remove_leftovers

_BEGUN = "begun.json"
_ABANDONED_SECONDS = 14 * 86_400.0
_DIGITS = 16


@dataclass(frozen=True)
class StoredFile:
    """A file of a part.

    Attributes:
        name: Its name, which holds the beginning of its digest.
        sha256: Digest of its content.
        rows: Number of its rows.
    """

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class PartRecord:
    """The record of a complete part.

    Attributes:
        number: Its place among the parts, from 0.
        answers: The file with its answered rows; None: no row was answered.
        rejected: The file with its rejected rows; None: no row was rejected.
        codes: Number of rejected rows by code.
        labelled: Number of rows with a known label.
        log: Name of its lines for the request log; empty: it has none.
    """

    number: int
    answers: StoredFile | None
    rejected: StoredFile | None
    codes: dict[str, int] = field(default_factory=dict)
    labelled: int = 0
    log: str = ""

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PartRecord:
        """Restore a record from its JSON."""
        files = {name: StoredFile(**raw[name]) if raw[name] else None for name in ("answers", "rejected")}
        return cls(raw["number"], **files, codes=raw["codes"], labelled=raw["labelled"], log=raw["log"])


@dataclass(frozen=True)
class WorkFolder:
    """The folder of a batch.

    Attributes:
        uri: URI of the folder.
    """

    uri: str

    def begin(self, now: float) -> float:
        """Return when the batch began, in seconds since 1970: now, unless an earlier run began it."""
        remove_leftovers(self.uri)
        found = read_bytes(f"{self.uri}/{_BEGUN}")
        began = now if found is None else float(json.loads(found)["at"])
        # again, too: an old batch that goes on is not an abandoned one
        put(dump_json({"at": began}).encode(), f"{self.uri}/{_BEGUN}")
        return began

    def remove_abandoned(self) -> None:
        """Remove the folders of other batches that nobody has written to for long; after `begin`, whose file has the present date."""
        with suppress(OSError, NaruError):  # they harm nobody
            filesystem, folder = open_filesystem(self.uri)
            place = folder.rstrip("/").rpartition("/")[0]
            present = _newest(filesystem, folder)
            for output in filesystem.ls(place.rpartition("/")[0], detail=True):
                for batch in filesystem.ls(output["name"], detail=True):
                    changed = _newest(filesystem, batch["name"])
                    if changed is not None and present is not None and present - changed > _ABANDONED_SECONDS:
                        _remove_folder(filesystem, str(batch["name"]))

    def records(self) -> dict[int, PartRecord]:
        """Return the records of the complete parts, by number."""
        names = list_names(self.uri)
        numbers = [int(name[:6]) for name in names if len(name) == 11 and name[:6].isdecimal()]
        records = [PartRecord.from_dict(json.loads(read_bytes(self._record(number)) or b"")) for number in numbers]
        there = set(names)
        return {each.number: each for each in records if {file.name for file in files_of(each)} <= there}

    def add_file(self, kind: str, number: int, ending: str, content: bytes, rows: int) -> StoredFile:
        """Write a file of a part."""
        digest = hashlib.sha256(content).hexdigest()
        stored = StoredFile(f"{kind}-{number:06d}-{digest[:_DIGITS]}.{ending}", digest, rows)
        put(content, f"{self.uri}/{stored.name}")
        return stored

    def put(self, name: str, content: bytes) -> None:
        """Write an object of another kind."""
        put(content, f"{self.uri}/{name}")

    def read(self, name: str) -> bytes:
        """Read such an object.

        Raises:
            ServiceError: When it is missing.
        """
        content = read_bytes(f"{self.uri}/{name}")
        if content is None:
            raise self._damaged(f"{name} is missing")
        return content

    def add_record(self, record: PartRecord) -> None:
        """Write the record of a part: it is complete."""
        put(dump_json(asdict(record)).encode(), self._record(record.number))

    def read_file(self, file: StoredFile) -> bytes:
        """Read a file of a part, held against its digest.

        Raises:
            ServiceError: When it is missing or has changed.
        """
        content = self.read(file.name)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise self._damaged(f"{file.name} has changed since it was written")
        return content

    def place_file(self, file: StoredFile, target: Path) -> None:
        """Give a file of a part another name on this machine: a link, where the store is on its disk, else a copy.

        Raises:
            ServiceError: When it is missing or has changed.
        """
        content = self.read_file(file)
        filesystem, folder = open_filesystem(self.uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_local(filesystem):
            link_file(Path(folder) / file.name, target)  # it was flushed to the disk already
        else:
            write_bytes(target, content)

    def remove(self) -> None:
        """Remove the folder, and those of other batches of the output."""
        remove(self.uri.rpartition("/")[0])

    def _record(self, number: int) -> str:
        return f"{self.uri}/{number:06d}.json"

    def _damaged(self, problem: str) -> ServiceError:
        return ServiceError(problem, where=self.uri, remedy="remove this folder, and run again")


def _newest(filesystem: Any, folder: str) -> float | None:
    """Return when a folder was last written to, by the clock of its store, in seconds since 1970; None: that is not known."""
    dates = [entry.get("mtime") for entry in filesystem.ls(folder, detail=True) if entry["type"] == "file"]
    return max(dates) if dates and all(dates) else None


def _remove_folder(filesystem: Any, folder: str) -> None:
    if not is_local(filesystem):
        for entry in filesystem.ls(folder, detail=True):
            filesystem.rm_file(entry["name"])
        return
    shutil.rmtree(folder)
    with suppress(OSError):  # another batch is in it
        Path(folder).parent.rmdir()


def files_of(record: PartRecord) -> Iterator[StoredFile]:
    """Yield the files of a part."""
    yield from filter(None, (record.answers, record.rejected))


def count_codes(records: Sequence[PartRecord]) -> dict[str, int]:
    """Return the number of rejected rows by code, the most frequent first."""
    total: Counter[str] = Counter()
    for record in records:
        total.update(record.codes)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
