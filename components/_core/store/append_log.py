"""An append log: small JSON objects in one folder of the store, each under a unique name, never changed.

    <folder>/000042-0199c3a1b2c4d5e6f7a8b9c0.json

The number is one more than the highest that the writer saw. The nonce is the writer's time (milliseconds since 1970, in
hexadecimal) and random digits, so that names sort by number, time and nonce. Writers that take the same number at once
write a line each, so a store needs no locks or conditional writes to lose no line. Older lines have no nonce
(`000042.json`) and are read as they are.

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
from components._core.system_errors import from_system, needs_user_action, remedy_for

_NUMBERS_SEEN = 3
"""A line refers to the lines of so many numbers before it: the next one still covers a line that arrives late."""


@dataclass(frozen=True)
class AppendLog:
    """One append log.

    Every method raises UnavailableError when the store cannot be reached, ConfigError without permission to read or
    write it.

    Attributes:
        folder: A path, `file:///path` or `s3://bucket/prefix`; its last part is the log's name in `heads`.
        what: Name of the log in messages: `the deployment ledger`.
        store: The log's store, for messages.
    """

    folder: str
    what: str
    store: str

    def append(self, content: dict[str, Any], beside: Sequence[AppendLog] = ()) -> str:
        """Add a line with the next number; returns its URI.

        Args:
            content: The line; `heads` is added to it.
            beside: Other logs whose last lines are referred to as well, so that one log also protects the other.
        """
        with self._translate_errors():
            filesystem, root, names = self._list()
            filesystem.makedirs(root, exist_ok=True)
            heads = {self._name: _digests(filesystem, names), **{log._name: log._heads() for log in beside}}
            text = json.dumps({**content, HEADS: heads}, indent=2, sort_keys=True) + "\n"
            number = order_of(names[-1])[0] + 1 if names else 1
            write = _link_new if is_local(filesystem) else _put_new
            return write(filesystem, root, number, text.encode())

    def read(self, last: int = 0) -> list[tuple[str, bytes]]:
        """Read name and content of each line, in order.

        Args:
            last: Number of last lines to read; 0: all.
        """
        with self._translate_errors():
            filesystem, _, names = self._list()
            return [(name, filesystem.cat_file(name)) for name in names[-last:]]

    def last_name(self) -> str:
        """Return the file name of the last line; empty before the first."""
        with self._translate_errors():
            names = self._list()[2]
            return _file_name(names[-1]) if names else ""

    @property
    def _name(self) -> str:
        return _file_name(self.folder)

    def _heads(self) -> dict[str, str]:
        filesystem, _, names = self._list()
        return _digests(filesystem, names)

    def _list(self) -> tuple[Any, str, list[str]]:
        """Return the file system, the folder in it, and the names of the lines, in order."""
        filesystem, root = open_filesystem(self.folder)
        try:  # `exists` would say that a folder without permission is missing
            there = filesystem.ls(root, detail=False)
        except FileNotFoundError:
            there = []
        return filesystem, root, sorted((str(name) for name in there if _is_line(str(name))), key=order_of)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate the errors of file systems; ValueError and ImportError mean an unknown file system."""
        try:
            yield
        except (OSError, ImportError, ValueError) as error:
            if isinstance(error, OSError) and needs_user_action(error):
                raise from_system(error, self.store) from error
            remedy = remedy_for(error) or "check the store (NARU_STORE), then run again"
            raise UnavailableError(
                f"{self.what} cannot be reached: {error}", where=self.store, remedy=remedy
            ) from error


_LINE = re.compile(r"(?:^|/)\d{6,}(?:-[0-9a-z]+)?\.json$")


def _is_line(name: str) -> bool:
    return _LINE.search(name) is not None


def _file_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def make_nonce() -> str:
    """Make a nonce: twelve hexadecimal digits of time and twelve random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def _digests(filesystem: Any, names: Sequence[str]) -> dict[str, str]:
    """Return the digests of the last lines by file name, and of all old lines until a new one refers to them."""
    numbers = sorted({order_of(name)[0] for name in names})[-_NUMBERS_SEEN:]
    unnamed = bool(names) and is_of_old_rule(names[-1])
    seen = [name for name in names if unnamed or order_of(name)[0] in numbers]
    return {_file_name(name): digest_of(filesystem.cat_file(name)) for name in seen}


def _put_new(filesystem: Any, root: str, number: int, content: bytes) -> str:
    while True:
        name = f"{root}/{number:06d}-{make_nonce()}.json"
        try:
            filesystem.pipe_file(name, content, mode="create")
        except (
            FileExistsError
        ):  # a request sent twice because its first response was lost; or a nonce collision (1 in 2^48)
            if filesystem.cat_file(name) != content:
                continue
        return str(filesystem.unstrip_protocol(name))


def _link_new(_filesystem: Any, root: str, number: int, content: bytes) -> str:
    """Write a temporary file and link it: a line exists completely or not at all, and a taken name is refused."""
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
