"""A series of small JSON objects in one folder of the store: numbered, each written once, never changed.

<folder>/000001.json
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.errors import UnavailableError
from components._core.filesystems import open_filesystem
from components._core.system_errors import from_system, is_for_the_person, remedy_for

_LINE = re.compile(r"(?:^|/)\d{6,}\.json$")


@dataclass(frozen=True)
class Numbered:
    """One series.

    Every method raises UnavailableError when the store cannot be reached, ConfigError when it may not be read or written.

    Attributes:
        folder: A path, `file:///path` or `s3://bucket/prefix`.
        what: What the series is, for messages: `the deployment ledger`.
        store: The store that it is in, for messages.
    """

    folder: str
    what: str
    store: str

    def append(self, content: dict[str, Any]) -> str:
        """Add an object under the next number; returns its URI. A number is never written twice.

        On a folder it is written aside and linked into place, in S3 it is put there on the condition that nothing is: either
        fails when another writer was first, and the next number is tried.
        """
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        with self._reaching():
            filesystem, root, names = self._look()
            filesystem.makedirs(root, exist_ok=True)
            number = int(names[-1].rsplit("/", 1)[-1].removesuffix(".json")) + 1 if names else 1
            if "file" in filesystem.protocol:
                return _link_next(Path(root), number, text)
            return _put_next(filesystem, root, number, text)

    def read(self, last: int = 0) -> list[tuple[str, bytes]]:
        """Name and content of each, oldest first.

        Args:
            last: Only so many, the newest; 0: all.
        """
        with self._reaching():
            filesystem, _, names = self._look()
            return [(name, filesystem.cat_file(name)) for name in names[-last:]]

    def _look(self) -> tuple[Any, str, list[str]]:
        """The file system, the folder in it, and the names of the files, oldest first."""
        filesystem, root = open_filesystem(self.folder)
        try:  # not asked for by `exists`, which takes a folder that may not be entered for one that is not there
            there = filesystem.ls(root, detail=False)
        except FileNotFoundError:
            there = []
        return filesystem, root, sorted(str(name) for name in there if _LINE.search(str(name)))

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what file systems raise into an error of ours; ValueError and ImportError: there is none of that name."""
        try:
            yield
        except (OSError, ImportError, ValueError) as error:
            if isinstance(error, OSError) and is_for_the_person(error):
                raise from_system(error, self.store) from error
            remedy = remedy_for(error) or "look at the store (NARU_STORE), then run again"
            raise UnavailableError(
                f"{self.what} cannot be reached: {error}", where=self.store, remedy=remedy
            ) from error


def _put_next(filesystem: Any, root: str, number: int, text: str) -> str:
    while True:
        name = f"{root}/{number:06d}.json"
        try:
            filesystem.pipe_file(name, text.encode(), mode="create")
            return str(filesystem.unstrip_protocol(name))
        except FileExistsError:
            number += 1


def _link_next(root: Path, number: int, text: str) -> str:
    with tempfile.NamedTemporaryFile("w", dir=root, prefix=".", delete=False, encoding="utf-8") as aside:
        aside.write(text)
        aside.flush()
        os.fsync(aside.fileno())
    try:
        while True:
            target = root / f"{number:06d}.json"
            try:
                os.link(aside.name, target)
                return str(target)
            except FileExistsError:
                number += 1
    finally:
        Path(aside.name).unlink()
