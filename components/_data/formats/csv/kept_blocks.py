"""Blocks of files that inference has read, kept for reading their rows: a small table is read only once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from components._data.formats.csv.blocks import Block, read_blocks
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.rows import FileTally

KEPT_BYTES = 64 << 20
"""Maximum number of bytes kept of all files. Files that do not fit are read again."""


@dataclass
class _Kept:
    """One file, whole."""

    names: list[str]
    blocks: list[Block] = field(default_factory=list)
    tally: FileTally = field(default_factory=FileTally)


class KeptBlocks:
    """Files kept in memory, by path."""

    def __init__(self) -> None:
        self._left = KEPT_BYTES
        self._files: dict[str, _Kept] = {}

    def names(self, file: CsvFile) -> list[str] | None:
        """Return the columns of a kept file; None for any other."""
        return self._files[file.path].names if file.path in self._files else None

    def read(self, file: CsvFile, names: list[str], tally: FileTally) -> Iterator[Block]:
        """Yield a file's blocks: the kept ones, or read from the file."""
        kept = self._files.get(file.path)
        if kept is None:
            yield from read_blocks(file, len(names), tally.watch)
        else:
            tally.take(kept.tally)
            yield from kept.blocks

    def read_and_keep(self, file: CsvFile, names: list[str]) -> Iterator[Block]:
        """Yield a file's blocks, and keep them when all of them fit."""
        kept: _Kept | None = _Kept(names)
        left = self._left

        def watch(part: bytes) -> None:
            if kept is not None:
                kept.tally.watch(part)

        for block in read_blocks(file, len(names), watch):
            left -= block.memory
            if left < 0:
                kept = None
            elif kept is not None:
                kept.blocks.append(block)
            yield block
        if kept is not None:
            self._left, self._files[file.path] = left, kept
