"""An append log: small JSON objects in one folder of the store, each under a name that nobody else has, never changed.

    <folder>/000042-0199c3a1b2c4d5e6f7a8b9c0.json

The number is one more than the highest that the writer saw. The nonce is the writer's time (milliseconds since 1970, in
hexadecimal) and random digits, so that names sort by number, time and nonce. Writers that take the same number at once leave a
line each: that no line is lost needs nothing of a store but that it keeps what it was given. Lines of Naru before this rule
have no nonce (`000042.json`) and are read as they are.

A line carries under `heads` the SHA-256 of the lines that its writer saw last (`line_digests.py` verifies them).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.errors import UnavailableError
from components._core.files import open_aside
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.line_digests import HEADS, digest_of, is_of_old_rule, order_of
from components._core.system_errors import from_system, is_for_the_person, remedy_for

_NUMBERS_SEEN = 3
"""A line names the lines of so many numbers before it: one that arrives late is named by the next one still."""


@dataclass(frozen=True)
class AppendLog:
    """One log.

    Every method raises UnavailableError when the store cannot be reached, ConfigError when it may not be read or written.

    Attributes:
        folder: A path, `file:///path` or `s3://bucket/prefix`; its last part is the log's name in `heads`.
        what: What the log is, for messages: `the deployment ledger`.
        store: The store that it is in, for messages.
    """

    folder: str
    what: str
    store: str

    def append(self, content: dict[str, Any], beside: Sequence[AppendLog] = ()) -> str:
        """Add a line with the next number; returns its URI.

        Args:
            content: The line; `heads` is added to it.
            beside: Other logs whose last lines are named too, so that lines of one log bear witness to those of another.
        """
        with self._reaching():
            filesystem, root, names = self._list()
            filesystem.makedirs(root, exist_ok=True)
            heads = {self._name: _digests(filesystem, names), **{log._name: log._heads() for log in beside}}
            text = json.dumps({**content, HEADS: heads}, indent=2, sort_keys=True) + "\n"
            number = order_of(names[-1])[0] + 1 if names else 1
            write = _link_new if is_local(filesystem) else _put_new
            return write(filesystem, root, number, text.encode())

    def read(self, last: int = 0) -> list[tuple[str, bytes]]:
        """Name and content of each line, in order.

        Args:
            last: Only so many, the last ones; 0: all.
        """
        with self._reaching():
            filesystem, _, names = self._list()
            return [(name, filesystem.cat_file(name)) for name in names[-last:]]

    def last_name(self) -> str:
        """File name of the last line; empty before the first."""
        with self._reaching():
            names = self._list()[2]
            return _file_name(names[-1]) if names else ""

    @property
    def _name(self) -> str:
        return _file_name(self.folder)

    def _heads(self) -> dict[str, str]:
        filesystem, _, names = self._list()
        return _digests(filesystem, names)

    def _list(self) -> tuple[Any, str, list[str]]:
        """The file system, the folder in it, and the names of the lines, in order."""
        filesystem, root = open_filesystem(self.folder)
        try:  # not `exists`, which takes a folder that may not be entered for one that is not there
            there = filesystem.ls(root, detail=False)
        except FileNotFoundError:
            there = []
        return filesystem, root, sorted((str(name) for name in there if _is_line(str(name))), key=order_of)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Translate what file systems raise; ValueError and ImportError: there is no file system of that name."""
        try:
            yield
        except (OSError, ImportError, ValueError) as error:
            if isinstance(error, OSError) and is_for_the_person(error):
                raise from_system(error, self.store) from error
            remedy = remedy_for(error) or "look at the store (NARU_STORE), then run again"
            raise UnavailableError(
                f"{self.what} cannot be reached: {error}", where=self.store, remedy=remedy
            ) from error


_LINE = re.compile(r"(?:^|/)\d{6,}(?:-[0-9a-z]+)?\.json$")


def _is_line(name: str) -> bool:
    return _LINE.search(name) is not None


def _file_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def make_nonce() -> str:
    """Twelve hexadecimal digits of time and twelve random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def _digests(filesystem: Any, names: Sequence[str]) -> dict[str, str]:
    """Digest by file name of the last lines, and of all lines of the old rule as long as none of the new one names them."""
    numbers = sorted({order_of(name)[0] for name in names})[-_NUMBERS_SEEN:]
    unnamed = bool(names) and is_of_old_rule(names[-1])
    seen = [name for name in names if unnamed or order_of(name)[0] in numbers]
    return {_file_name(name): digest_of(filesystem.cat_file(name)) for name in seen}


def _put_new(filesystem: Any, root: str, number: int, content: bytes) -> str:
    while True:
        name = f"{root}/{number:06d}-{make_nonce()}.json"
        try:
            filesystem.pipe_file(name, content, mode="create")
        except FileExistsError:  # a request that was sent twice, as its first answer was lost; or the one nonce in 2^48
            if filesystem.cat_file(name) != content:
                continue
        return str(filesystem.unstrip_protocol(name))


def _link_new(_filesystem: Any, root: str, number: int, content: bytes) -> str:
    """Written aside and linked: a line is there whole or not at all, and a name that is taken is refused."""
    descriptor, aside = open_aside(Path(root) / "line")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        while True:
            target = Path(root) / f"{number:06d}-{make_nonce()}.json"
            try:
                os.link(aside, target)
                return str(target)
            except FileExistsError:
                continue
    finally:
        Path(aside).unlink()
