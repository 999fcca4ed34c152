"""The kept spans in the store: indexes, entries, and the removal of those that no recent run used."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from components._core.errors import NaruError
from components._core.files import link_file
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import list_names, put, read_bytes, remove
from components.ingest.kept_spans.entry import PARTS, REJECTS, FileRead, KeptSpan, checksum

FOLDER = "spans"
_ENTRY, _INDEX = "entry", "index-"
_KEPT_RUNS = 5
"""Runs whose indexes, and so whose entries, are kept."""
_UNFINISHED_SECONDS = 86_400
"""Age from which an entry that no index names is removed: a run that is still reading writes its index later."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class SpanRecord:
    """What an index says of one span.

    Attributes:
        span: The span.
        state: Fingerprint of the state of its files.
        reading: Fingerprint of all that decides how its rows are read.
        definition: Fingerprint of the split's definition.
        content: Fingerprint of the content of its files.
        entry: Name of the entry with its rows.
    """

    span: int
    state: str
    reading: str
    definition: str
    content: str
    entry: str


@dataclass
class Index:
    """What one or several runs read.

    Attributes:
        records: The spans; of several runs the newest first.
        notes: Notes on files, see `FileNotes`.
    """

    records: list[SpanRecord] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def by_span(self) -> dict[int, list[SpanRecord]]:
        """The records of each span, in their order."""
        found: dict[int, list[SpanRecord]] = {}
        for record in self.records:
            found.setdefault(record.span, []).append(record)
        return found


class SpanStore:
    """The kept spans of one project.

    Args:
        root: Address of their folder in the store.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._newest = Index()

    def load(self) -> Index:
        """Load what the last runs read, the newest first; a damaged index counts as none.

        Raises:
            NaruError: When the store does not answer.
        """
        merged, names = Index(), list_names(self._root)
        for name in [name for name in names if name.startswith(_INDEX)][-_KEPT_RUNS:]:
            found = _parse(read_bytes(f"{self._root}/{name}"))
            merged = Index([*found.records, *merged.records], {**merged.notes, **found.notes})
            self._newest = found
        return merged

    def save(self, index: Index) -> None:
        """Save what this run read, unless that is what the last one read; then remove what no recent run used.

        Raises:
            NaruError: When the store refuses or does not answer.
        """
        if index == self._newest:
            return
        raw = {"records": [asdict(record) for record in index.records], "notes": index.notes}
        name = f"{_INDEX}{_new_name()}.json.gz"
        content = gzip.compress(json.dumps(raw).encode(), 1, mtime=0)
        put(content, f"{self._root}/{name}", durable=False)
        with suppress(NaruError):  # the next run removes what this one could not, as where two remove the same
            self._clean()

    def fetch(self, entry: str, folder: Path) -> KeptSpan | None:
        """Fetch an entry: used in place when the store is a folder on this machine; None where it is missing or damaged.

        Raises:
            NaruError: When the store does not answer.
        """
        try:
            raw = json.loads(_unsealed(read_bytes(f"{self._root}/{entry}/{_ENTRY}") or b""))
            if REJECTS not in raw["parts"] or not raw["parts"].keys() <= PARTS:
                return None
            parts = {name: self._fetch_part(f"{entry}/{name}", folder) for name in raw["parts"]}
            if any(checksum(path) != raw["parts"][name] for name, path in parts.items()):
                return None
            return KeptSpan(entry, [FileRead.from_json(file) for file in raw["files"]], parts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, files: list[FileRead], parts: Mapping[str, Path]) -> str:
        """Keep a span, and return the name of its entry; `entry` is written last.

        Raises:
            NaruError: When the store refuses or does not answer.
            OSError: When a file cannot be copied.
        """
        entry = _new_name()
        filesystem, base = open_filesystem(f"{self._root}/{entry}")
        if is_local(filesystem):
            Path(base).mkdir(parents=True, exist_ok=True)
        for name, path in parts.items():
            if is_local(filesystem):
                link_file(path, Path(base) / name)
            else:
                filesystem.put_file(os.fspath(path), f"{base}/{name}")
        header = {"files": [file.to_json() for file in files], "parts": {n: checksum(p) for n, p in parts.items()}}
        put(_sealed(json.dumps(header).encode()), f"{self._root}/{entry}/{_ENTRY}", durable=False)
        return entry

    def _fetch_part(self, name: str, folder: Path) -> Path:
        filesystem, path = open_filesystem(f"{self._root}/{name}")
        if is_local(filesystem):
            return Path(path)
        here = folder / name
        here.parent.mkdir(parents=True, exist_ok=True)
        with filesystem.open(path, "rb") as source, here.open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)
        return here

    def _clean(self) -> None:
        names = list_names(self._root)
        indexes = [name for name in names if name.startswith(_INDEX)]
        used = {
            record.entry
            for name in indexes[-_KEPT_RUNS:]
            for record in _parse(read_bytes(f"{self._root}/{name}")).records
        }
        oldest = _name_at(time.time() - _UNFINISHED_SECONDS)
        for name in indexes[:-_KEPT_RUNS]:
            remove(f"{self._root}/{name}")
        for name in set(names) - set(indexes) - used:
            if name[0].isdigit() and name < oldest:  # others are unfinished files of this moment
                remove(f"{self._root}/{name}")


def _sealed(content: bytes) -> bytes:
    """Put the checksum of a text in a line before it."""
    return b"%08x\n%b" % (zlib.crc32(content), content)


def _unsealed(sealed: bytes) -> bytes:
    """Return the text; empty where it is damaged."""
    _, _, content = sealed.partition(b"\n")
    return content if _sealed(content) == sealed else b""


def _parse(content: bytes | None) -> Index:
    try:
        raw = json.loads(gzip.decompress(content or b""))
        return Index([SpanRecord(**record) for record in raw["records"]], dict(raw["notes"]))
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return Index()


def _new_name() -> str:
    return f"{_name_at(time.time())}-{secrets.token_hex(4)}"


def _name_at(moment: float) -> str:
    """Return the beginning of a name that sorts by its time, in milliseconds."""
    return f"{int(moment * 1_000):015d}"
