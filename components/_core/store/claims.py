"""Claims: one winner among several writers that may act on a key, on any store.

In a folder of this machine it is a lock, which the system releases when a process ends. Elsewhere it needs only what
every S3 does (keep an object, list it at once, date it by its own clock):

1. put `<folder>/<key>/<nonce>.json`, which nobody else writes;
2. wait `SETTLE` seconds, longer than the clock's own step: a claim that appears after this is dated later;
3. list: the oldest claim wins, by the store's clock, then by name.

Every claim that could be older is in that list, so all see the same winner. A claim older than `HURRY` seconds is not
acted on but made again; one older than `EXPIRY` no longer counts, since its writer is dead.
"""

from __future__ import annotations

import errno
import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from components._core.errors import UnavailableError
from components._core.store.append_log import make_nonce
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import date_of
from components._core.system_errors import from_system

SETTLE = 2.0
HURRY = 60.0
EXPIRY = 120.0
_PAUSE = 0.5
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass
class Claims:
    """One writer's claims for one purpose, such as the promotions of a project.

    Attributes:
        folder: Folder of the claims: a path, `file:///path` or `s3://bucket/prefix`.
        holder: Identity of the work: a second try with the same identity continues with the claim of the first.
        facts: Information for people: who claims, for what.
    """

    folder: str
    holder: str
    facts: dict[str, str] = field(default_factory=dict)
    _names: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Own newest claim by key: its file name, and when it was made by this machine's monotonic clock."""

    @contextmanager
    def turn(self, key: str, is_decided: Callable[[], bool]) -> Iterator[bool]:
        """Wait for the turn to act on a key; yields True when it came, False when somebody else acted.

        Args:
            key: Subject of one action, such as the ledger's last line; used as a folder name.
            is_decided: Returns whether somebody has acted on the key.

        Raises:
            ConfigError: Without permission to write the store.
            UnavailableError: When the store cannot be reached, or does not list a written object.
        """
        filesystem, root = open_filesystem(self.folder)
        if is_local(filesystem) and (lock := _open_lock(Path(root))) is not None:
            with lock:
                yield not is_decided()
            return
        filesystem.makedirs(f"{root}/{key}", exist_ok=True)
        while not is_decided():
            if self._wins(filesystem, f"{root}/{key}"):
                yield not is_decided()
                return
            time.sleep(_PAUSE)
        yield False

    def _wins(self, filesystem: Any, folder: str) -> bool:
        """Return whether the oldest valid claim is this holder's, with time left to act."""
        name, made = self._names.get(folder) or self._claim(filesystem, folder)
        if time.monotonic() - made > HURRY:  # withdrawn, or it would precede the new one and be too old to act on
            filesystem.rm_file(name)
            name, made = self._claim(filesystem, folder)
        ages = _ages(filesystem, folder, name, made)
        living = sorted((-age, each) for each, age in ages.items() if age < EXPIRY)
        oldest = living[0][1]
        return ages[oldest] < HURRY and self._is_own(filesystem, oldest)

    def _claim(self, filesystem: Any, folder: str) -> tuple[str, float]:
        name, made = f"{folder}/{make_nonce()}.json", time.monotonic()
        text = json.dumps({**self.facts, "holder": self.holder}, indent=2, sort_keys=True) + "\n"
        filesystem.pipe_file(name, text.encode())
        time.sleep(SETTLE)
        self._names[folder] = name, made
        return name, made

    def _is_own(self, filesystem: Any, name: str) -> bool:
        try:
            claim = json.loads(filesystem.cat_file(name))
        except ValueError:
            return False
        return bool(claim.get("holder") == self.holder)


def _open_lock(folder: Path) -> IO[str] | None:
    """Take the lock, held until the file is closed or the process dies; None where the file system has no locks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a")
    except OSError as error:
        raise from_system(error, str(folder)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        file.close()
        if error.errno in _WITHOUT_LOCKS:
            return None
        raise from_system(error, str(folder)) from error
    return file


def _ages(filesystem: Any, folder: str, own: str, made: float) -> dict[str, float]:
    """Return the age of each claim in seconds, by name: dates are the store's, the time since the own claim this machine's."""
    filesystem.invalidate_cache()
    dates = {str(entry["name"]): date_of(entry) for entry in filesystem.ls(folder, detail=True)}
    if own not in dates:
        message = "a claim that was just written is not listed"
        raise UnavailableError(
            message, where=own, remedy="the store must list new objects at once (docs/operations.md)"
        )
    present = dates[own] + time.monotonic() - made
    return {name: present - date for name, date in dates.items()}
