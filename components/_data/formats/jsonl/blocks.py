"""Cut a file of JSON lines into blocks of whole lines."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.errors import DataError
from components._data.formats.compression import fill, open_content
from components._data.sources.contract import SpanFile

_BLOCK_BYTES = 4 << 20
_LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"
_NEWLINE, _RETURN, _OPEN, _CLOSE = b"\n\r{}"


@dataclass(frozen=True)
class Block:
    """Some whole lines.

    Attributes:
        data: The lines, each with its line end; only the file's last one may lack it.
        first: Number of the first line in the file, from 1.
    """

    data: bytes
    first: int

    @property
    def is_regular(self) -> bool:
        """Whether every line begins with `{` and ends with `}`, as Arrow's reader needs it: it takes `null` for a row, too."""
        data = np.frombuffer(self.data, np.uint8)
        ends = np.flatnonzero(data == _NEWLINE)
        if not len(data) or data[-1] != _NEWLINE:
            ends = np.append(ends, len(data))
        starts = np.concatenate([[0], ends[:-1] + 1])
        if np.any(ends - starts < 2):
            return False
        lasts = data[ends - 1]
        lasts = np.where(lasts == _RETURN, data[ends - 2], lasts)
        return bool(np.all(data[starts] == _OPEN) and np.all(lasts == _CLOSE))

    def lines(self) -> list[tuple[int, bytes]]:
        """Return the lines that are not blank, with their numbers."""
        lines = enumerate(self.data.split(b"\n"), start=self.first)
        return [(number, line.strip()) for number, line in lines if line and not line.isspace()]

    def line_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of the lines that are not blank (int64 [rows])."""
        return np.array([number for number, _ in self.lines()], np.int64)

    @property
    def blank(self) -> int:
        """Number of blank lines."""
        ends = self.data.count(b"\n") + (not self.data.endswith(b"\n"))
        return ends - len(self.lines())


def read_blocks(file: SpanFile, watch: Callable[[bytes], None]) -> Iterator[Block]:
    """Yield a file's blocks in bounded memory.

    Args:
        file: The file to read.
        watch: Called with every part of the file.

    Raises:
        DataError: When it is empty, not JSON lines, damaged, or has a line that is too long.
    """
    first, rest = 1, b""
    with open_content(file, watch) as stream:
        while part := fill(stream, _BLOCK_BYTES):
            data = (rest + part) if rest else part
            if first == 1 and not rest:
                data = data.removeprefix(_BOM)
                _check_kind(file, data)
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if len(rest) > _LONGEST_LINE:
                message = f"has a line longer than {_LONGEST_LINE >> 20} MiB"
                raise DataError(message, where=f"{file.name}, line {first}", remedy="write one JSON object a line")
            if end:
                yield Block(data[:end], first)
                first += data.count(b"\n", 0, end)
    if first == 1 and not rest:
        raise DataError("is empty", where=file.name, remedy="remove the file or write it again")
    if rest and not rest.isspace():
        yield Block(rest, first)


def _check_kind(file: SpanFile, data: bytes) -> None:
    """Refuse other kinds of files by their beginning, whose every line would be set aside."""
    start = data[:4096].lstrip()
    if start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b""):
        remedy = f"write one object a line, as in: jq -c '.[]' {file.name} > rows.jsonl"
        raise DataError("is one JSON array, not JSON lines", where=file.name, remedy=remedy)
    if start.partition(b"\n")[0].strip() == b"{":
        remedy = f"write one object a line, as in: jq -c . {file.name} > rows.jsonl"
        raise DataError("has JSON objects that span several lines", where=file.name, remedy=remedy)
    if b"\0" in start or not any(map(_is_utf8, start.splitlines())):
        remedy = "save it as UTF-8, or set data.format to the format that it has"
        raise DataError("is not JSON lines in UTF-8", where=file.name, remedy=remedy)


def _is_utf8(line: bytes) -> bool:
    """Return whether a line, or the beginning of one, is UTF-8; in another encoding its keys are not, so no line is."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)
    except UnicodeDecodeError:
        return False
    return True
