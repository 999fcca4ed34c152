"""Cut an object of the log into blocks of whole lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20
"""Bytes of one line: the server keeps at most as much in its queue."""
_REQUEST = b'{"id":'
_NEWLINE, _CLOSE = b"\n}"


@dataclass(frozen=True)
class Lines:
    """Whole lines.

    Attributes:
        data: The lines, each with its line end.
        numbers: The number of each line in the object, from 1 (int64 [lines]).
    """

    data: bytes
    numbers: NDArray[np.int64]

    def split(self) -> tuple[Lines, Lines]:
        """Split into lines that look like answered requests, for Arrow's reader, and others, for Python's."""
        starts, ends = self._bounds()
        data = np.frombuffer(self.data + _REQUEST, np.uint8)
        is_request = data[np.maximum(ends - 1, starts)] == _CLOSE
        for place, byte in enumerate(_REQUEST):
            is_request &= data[starts + place] == byte
        if is_request.all():
            return self, _NONE
        return self._where(is_request), self._where(~is_request)

    def halves(self) -> tuple[Lines, Lines]:
        """Cut in the middle; there are two lines at least."""
        middle = len(self.numbers) // 2
        end = int(self._bounds()[1][middle - 1]) + 1
        return Lines(self.data[:end], self.numbers[:middle]), Lines(self.data[end:], self.numbers[middle:])

    def each(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of each line that is not blank."""
        for number, line in zip(self.numbers.tolist(), self.data.split(b"\n"), strict=False):
            if line.strip():
                yield number, line

    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each line starts, and where its line end is."""
        ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)
        return np.concatenate([[0], ends[:-1] + 1]).astype(np.int64), ends

    def _where(self, chosen: NDArray[np.bool_]) -> Lines:
        lines = self.data.split(b"\n")
        kept = [lines[place] + b"\n" for place in np.flatnonzero(chosen)]
        return Lines(b"".join(kept), self.numbers[chosen])


_NONE = Lines(b"", np.empty(0, np.int64))


def read_blocks(stream: IO[bytes], longest_line: int = LONGEST_LINE) -> Iterator[Lines | int]:
    """Yield the blocks of an object, and in their place the numbers of lines that are too long to be read.

    Args:
        stream: The object.
        longest_line: Bytes that a line may have.
    """
    first, rest, is_skipped = 1, b"", False
    while part := stream.read(BLOCK_BYTES):
        end = part.rfind(b"\n") + 1
        if is_skipped:
            if not end:
                continue
            begin = part.find(b"\n") + 1
            part, end, is_skipped, first = part[begin:], end - begin, False, first + 1
        data = rest + part if rest else part
        end = end + len(rest) if end else 0
        rest = data[end:]
        if end:
            yield _lines(data[:end], first)
            first += data.count(b"\n", 0, end)
        if len(rest) > longest_line:
            yield first
            rest, is_skipped = b"", True
    if rest:
        yield _lines(rest + b"\n", first)


def _lines(data: bytes, first: int) -> Lines:
    return Lines(data, np.arange(first, first + data.count(b"\n"), dtype=np.int64))
