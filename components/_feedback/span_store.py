"""The spans in the store, and the state from which the next one is made.

    HOME/objects/NAME-SHA256.JOIN.parquet   files that a manifest names: rows, scored, state, quarantine; never changed
    HOME/spans/000013/manifest.json         the commit of span 13: it exists completely or not at all, and is never changed
    HOME/spans/000013/rows.parquet          its rows, published after the commit (or where `feedback.spans` says)
    HOME/claims/                            turns of writers (`store/claims.py`)

Whatever a killed writer leaves, the next one ends the same: objects without a manifest mean nothing, and a committed span is
published by the next run. Each join has names of its own (JOIN), also for equal content, and commits within `LONGEST` or not at all: an
older object that no manifest names is left over for good, and `naru clean` may remove it whatever joins run meanwhile.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError, NaruError, ServiceError
from components._core.files import dump_json, hash_file
from components._core.store.append_log import make_nonce
from components._core.store.claims import Claims
from components._core.store.object_store import create, fetch_file, find_missing, list_names, read_bytes, remove, upload

FORMAT = 1
LONGEST = timedelta(days=1)
"""Time after a join's first upload in which it must commit."""
_NUMBER = re.compile(r"[0-9]{6,}")
_DIGITS = 16


def feedback_home(store: str, project: str) -> str:
    """Return the folder of a project's manifests and state."""
    return f"{store.rstrip('/')}/{project}/feedback"


@dataclass(frozen=True)
class SpanStore:
    """The spans of a project.

    Attributes:
        home: Folder of manifests and state.
        spans: Location of the published rows, with `{span}`.
        join: Identity of the join that writes.
    """

    home: str
    spans: str
    join: str = field(default_factory=make_nonce)
    _began: list[float] = field(default_factory=list, compare=False)
    """When this join uploaded first, in seconds since 1970: a machine that slept counts too."""

    def last(self) -> dict[str, Any] | None:
        """Read the manifest of the newest span; None before the first.

        Raises:
            ServiceError: When it is damaged, or of a later Naru.
            UnavailableError: When the store does not answer.
        """
        return self._newest()

    def _newest(self, below: int | None = None) -> dict[str, Any] | None:
        numbers = sorted((name for name in list_names(f"{self.home}/spans") if _NUMBER.fullmatch(name)), key=int)
        for name in reversed(numbers):
            if below is not None and int(name) >= below:
                continue
            uri = self._manifest_uri(int(name))
            content = read_bytes(uri)
            if content is not None:
                return _parse(content, uri)
        return None

    def before(self, number: int) -> dict[str, Any] | None:
        """Read the manifest of the newest span before one; None when there is none. Errors as in `last`."""
        return self._newest(number)

    def rows_uri(self, number: int) -> str:
        """Return the address of a span's published rows."""
        return self.spans.replace("{span}", f"{number:06d}")

    def keep(self, file: Path) -> str:
        """Upload a file under a name that has its hash, and that no other join uses; returns the name."""
        self._began.append(time.time())
        name = f"{file.stem}-{hash_file(file)}.{self.join}{file.suffix}"
        upload(file, f"{self.home}/objects/{name}")
        return name

    def fetch(self, name: str, folder: Path) -> Path:
        """Fetch a file that `keep` uploaded, and verify its hash.

        Raises:
            ServiceError: When it is missing or damaged.
            UnavailableError: When the store does not answer.
        """
        return _verified(fetch_file(f"{self.home}/objects/{name}", folder), name)

    def fetch_rows(self, number: int, sha256: str, folder: Path) -> Path:
        """Fetch the published rows of a span, and verify their hash; errors as in `fetch`."""
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        return _verified(fetch_file(self.rows_uri(number), folder / str(number)), sha256)

    def find_rows(self, manifest: dict[str, Any], folder: Path) -> Path | None:
        """Fetch the rows of a span, published or not yet; None when they were deleted. Errors as in `fetch`."""
        number, kept = int(manifest["number"]), manifest["rows"]["object"]
        if _exists(self.rows_uri(number)):
            return self.fetch_rows(number, manifest["rows"]["sha256"], folder)
        return self.fetch(kept, folder) if _exists(f"{self.home}/objects/{kept}") else None

    def manifest(self, number: int) -> dict[str, Any]:
        """Read the manifest of a span; errors as in `last`, and ServiceError when it is missing."""
        uri = self._manifest_uri(number)
        content = read_bytes(uri)
        if content is None:
            raise ServiceError("the manifest of this span is missing", where=uri, remedy="restore it from a backup")
        return _parse(content, uri)

    def commit(self, manifest: dict[str, Any]) -> bool:
        """Commit a span; returns False when another writer committed one with this number.

        Raises:
            ConfigError: Without permission to write to the store.
            ServiceError: When the first upload was so long ago that the objects may have been removed as left over.
            UnavailableError: When the store does not answer.
        """
        nonce = make_nonce()
        uri = self._manifest_uri(manifest["number"])
        content = dump_json({**manifest, "format": FORMAT, "nonce": nonce}).encode()
        claims = Claims(f"{self.home}/claims", nonce)
        with claims.turn(f"{manifest['number']:06d}", lambda: read_bytes(uri) is not None) as is_ours:
            if is_ours and self._began and abs(time.time() - self._began[0]) > LONGEST.total_seconds():
                message = (
                    f"more than {LONGEST.days * 24} hours passed between the first upload of this join and its end"
                )
                raise ServiceError(message, where=self.home, remedy="run again: nothing was committed")
            return is_ours and create(content, uri)

    def refuse_taken(self, number: int) -> None:
        """Refuse a number where a file of another origin is.

        Raises:
            ConfigError: When there is a file where the rows of this span belong, and no span has this number.
            UnavailableError: When the store does not answer.
        """
        target = self.rows_uri(number)
        # in this order: another writer commits before it publishes
        if _exists(target) and read_bytes(self._manifest_uri(number)) is None:
            message = (
                f"there is a file already where the rows of span {number} belong, which naru feedback did not write"
            )
            remedy = "set feedback.first_span to a number after your own spans, or feedback.spans to another place"
            raise ConfigError(message, where=target, remedy=remedy)

    def publish(self, manifest: dict[str, Any], folder: Path) -> None:
        """Put the rows of a committed span where they are read; the copy among the objects is removed once they are there.

        Raises:
            ServiceError: When another file is there, or the rows are neither there nor among the objects.
            UnavailableError: When the store does not answer.
        """
        number, kept = int(manifest["number"]), f"{self.home}/objects/{manifest['rows']['object']}"
        target = self.rows_uri(number)
        if not _exists(target):
            try:
                upload(self.fetch(manifest["rows"]["object"], folder), target)
            except ServiceError as error:
                if not _exists(target):  # else another run published them meanwhile
                    message = f"the rows of span {number} are missing, and so is the copy that is kept until then"
                    raise ServiceError(message, where=target, remedy="restore the file from a backup") from error
        elif _exists(kept):
            self._compare_published(number, manifest["rows"]["sha256"], kept, folder)
        with suppress(FileNotFoundError):
            if _exists(kept):
                remove(kept)

    def _compare_published(self, number: int, sha256: str, kept: str, folder: Path) -> None:
        """Refuse to take another file for the rows of a span, whose only copy is removed next."""
        try:
            self.fetch_rows(number, sha256, folder)
        except ServiceError as error:
            message = f"another file is where the rows of span {number} belong; the rows are kept in {kept}"
            remedy = "move that file to another place, then run again"
            raise ServiceError(message, where=self.rows_uri(number), remedy=remedy) from error

    def clean(self, before: dict[str, Any], manifest: dict[str, Any]) -> None:
        """Remove the previous span's state, which that of `manifest` replaced; an error while removing it is ignored."""
        replaced = set(before["state"].values()) - set(manifest["state"].values())
        for name in sorted(replaced):
            with suppress(NaruError, FileNotFoundError):
                remove(f"{self.home}/objects/{name}")

    def _manifest_uri(self, number: int) -> str:
        return f"{self.home}/spans/{number:06d}/manifest.json"


def _exists(uri: str) -> bool:
    parent, _, name = uri.rpartition("/")
    return not find_missing(parent, [name])


def _parse(content: bytes, uri: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
        written = found["format"]
    except (ValueError, KeyError, TypeError):
        raise ServiceError("is damaged", where=uri, remedy="restore it from a backup") from None
    if written != FORMAT:
        message = f"has format {written!r}; this version of Naru reads {FORMAT}"
        raise ServiceError(message, where=uri, remedy="update Naru")
    return dict(found)


def _verified(path: Path, name: str) -> Path:
    """Check that a file has the hash that its name, or a manifest, says."""
    if hash_file(path) not in name:
        raise ServiceError(
            "is damaged: its content has another hash", where=str(path), remedy="restore it from a backup"
        )
    return path
