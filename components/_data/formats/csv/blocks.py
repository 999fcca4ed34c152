"""Cut a CSV file into blocks of whole rows, with the physical line of each row; set aside rows with a quote error.

Rows are found by their quotes with numpy (`row_positions.py`), not cell by cell, and a block without any is only cut at its last
line end: almost all of a usual file costs a few milliseconds per 8 MiB.

Arrow gets whole rows only. Its own cutting loses a byte where a block ends between CR and LF, and fails on a row that is
longer than a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._data.formats.bad_rows import BadRow, quote_remedy
from components._data.formats.compression import fill
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.header import text_from_header
from components._data.formats.csv.no_data_rows import REPEATED_HEADER, find_repeats, find_total
from components._data.formats.csv.row_positions import RowPositions, find_rows, split_lines
from components._data.formats.csv.row_shape import RowShape
from components._data.formats.encoding import original_bytes

BLOCK_BYTES = 8 << 20
"""Bytes read at a time: bounds the memory, and is the size of the sample for the first inference of types."""

LONGEST_ROW = 64 << 20
"""Maximum number of bytes of a row: a longer one has an unclosed quote, and would take all memory."""

_NUL = 0
_HAS = "contains"
_HAS_NUL = f"{_HAS} a NUL byte"


class UndecidedEncodingError(Exception):
    """Raised at the first bytes that are not UTF-8 in a file whose encoding was detected from ASCII alone."""

    def __init__(self, file: CsvFile, sample: bytes) -> None:
        super().__init__(file.name)
        self.file, self.sample = file, sample


@dataclass(frozen=True)
class Block:
    """Whole rows of a file, the header left out.

    Attributes:
        data: Bytes of the rows, line ends included; rows set aside are left out.
        line: Physical line of the first byte, from 1; meant for a block without quotes.
        bad: Rows set aside.
        is_plain: Whether no line break is part of a cell.
        known_lines: Physical line of each row, if already known.
        known_blank: Number of empty lines, if already known.
    """

    data: bytes
    line: int
    bad: tuple[BadRow, ...] = ()
    is_plain: bool = True
    known_lines: NDArray[Any] | None = None
    known_blank: int | None = None

    @cached_property
    def lines(self) -> NDArray[Any]:
        """Physical line of each row, empty lines not counted as rows."""
        if self.known_lines is not None:
            return self.known_lines
        rows = split_lines(np.frombuffer(self.data, np.uint8))
        return self.line + np.flatnonzero(~rows.is_blank)

    @property
    def blank(self) -> int:
        """Number of empty lines between the rows."""
        return self._line_ends - len(self.lines) if self.known_blank is None else self.known_blank

    @property
    def memory(self) -> int:
        """Size of the block in memory, in bytes."""
        return len(self.data) + (0 if self.known_lines is None else self.known_lines.nbytes)

    @property
    def _line_ends(self) -> int:
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))

    def is_full(self, rows: int) -> bool:
        """Return whether each line is one of that many rows; true of most blocks, which then need no other count."""
        return self.known_lines is None and rows == self._line_ends

    def holds(self, rows: int) -> bool:
        """Return whether the block has that many rows."""
        return self.is_full(rows) or rows == len(self.lines)


def read_blocks(file: CsvFile, columns: int, watch: Callable[[bytes], None] | None = None) -> Iterator[Block]:
    """Yield the rows of a file after its header, in bounded memory.

    Args:
        file: The file to read.
        columns: Number of fields of the header.
        watch: Called with every byte of the file in order, as for hashing.

    Raises:
        DataError: When the header has a quote error, or a row is longer than `LONGEST_ROW`.
        UndecidedEncodingError: When the file is undecided, and not UTF-8.
    """
    cutter = _Cutter(file, columns)
    with file.open_text(watch) as stream:
        rest, is_last = b"", False
        while not is_last:
            chunk = fill(stream, BLOCK_BYTES)
            is_last = len(chunk) < BLOCK_BYTES
            block, rest = cutter.cut(rest + chunk, is_last)
            if block.data or block.bad:
                yield block


class _Cutter:
    """Cuts one file's buffers into blocks, and tracks the line numbers."""

    def __init__(self, file: CsvFile, columns: int) -> None:
        self._file = file
        self._csv = file.csv
        self._columns = columns
        self._line = 1 + (file.csv.skip_lines or 0)
        self._is_first = True
        self._is_undecided = file.is_undecided
        self._header = b""
        self._shape: RowShape | None = None

    def cut(self, buffer: bytes, is_last: bool) -> tuple[Block, bytes]:
        """Cut a buffer into its whole rows and the remaining bytes.

        Args:
            buffer: Bytes that begin with a row.
            is_last: Whether it is the end of the file.
        """
        if self._is_first:
            buffer, self._is_first = text_from_header(self._file, buffer), False
        lines = self._cut_lines(buffer, is_last) if self._is_plain(buffer, is_last) else None
        block, end = lines or self._cut_rows(buffer, is_last)
        if len(buffer) - end > LONGEST_ROW:
            raise self._too_long()
        return block, buffer[end:]

    def _cut_lines(self, buffer: bytes, is_last: bool) -> tuple[Block, int] | None:
        """Cut a buffer in which every line is a row; None where one of them is not a row of data."""
        start = 0 if self._header else _header_end(buffer)
        end = len(buffer) if is_last else buffer.rfind(b"\n") + 1
        header = self._header or (buffer[:start].strip(b"\r\n") if 0 < start <= end else b"")
        if self._find_repeats(buffer, header, start) or (
            is_last and self._find_total(buffer, buffer[start:].rstrip(b"\r\n"))
        ):
            return None
        self._header = header
        block = Block(buffer[start:end], self._line + buffer.count(b"\n", 0, start))
        self._line += buffer.count(b"\n", 0, end)
        return block, end

    def _is_plain(self, buffer: bytes, is_last: bool) -> bool:
        """Return whether every line end ends a row, each is LF or CR LF, and all bytes are valid."""
        special = [mark.encode() for mark in (self._csv.quote, self._csv.escape, self._csv.comment) if mark]
        if b"\0" in buffer or any(mark in buffer for mark in special):
            return False
        if b"\r" in buffer and buffer.count(b"\r") != buffer.count(b"\r\n"):
            return False
        return self._is_valid(buffer, len(buffer) if is_last else buffer.rfind(b"\n") + 1)

    def _is_valid(self, buffer: bytes, end: int) -> bool:
        """Return whether the buffer up to an offset, where a row ends, is valid UTF-8.

        Raises:
            UndecidedEncodingError: When it is not, and all of the file before it is ASCII.
        """
        if buffer.isascii():
            return True
        is_valid = _is_utf8(buffer, end)
        if self._is_undecided and not is_valid:
            raise UndecidedEncodingError(self._file, buffer[:end])
        self._is_undecided = False
        return is_valid

    def _find_repeats(self, buffer: bytes, header: bytes, start: int) -> list[int]:
        # of a single column a value may equal the name
        return find_repeats(buffer, header, start) if self._columns > 1 else []

    def _find_total(self, buffer: bytes, rows: bytes) -> str:
        """Return why the last row of the file is a line of totals; empty: it is none."""
        last = rows[max(rows.rfind(b"\n"), rows.rfind(b"\r")) + 1 :]
        return find_total(last, buffer, self._csv) if self._columns > 1 else ""

    def _cut_rows(self, buffer: bytes, is_last: bool) -> tuple[Block, int]:
        codes = np.frombuffer(buffer, np.uint8)
        rows = find_rows(codes, self._csv, is_last)
        if not len(rows.starts):
            return Block(b"", self._line), 0
        first, end = self._line, int(rows.ends[-1])
        rows.is_blank[self._are_comments(codes, rows)] = True
        self._line += int(np.searchsorted(rows.breaks, end, side="right"))
        lines = first + np.searchsorted(rows.breaks, rows.starts, side="right")
        counts = np.searchsorted(rows.breaks, rows.ends, side="right") + first - lines
        counts = np.maximum(counts, 1)  # the last row of a file may have no line end
        is_header = self._take_header(buffer, rows)
        wrong = self._find_bad(buffer, codes, rows, counts, is_header)
        wrong = {row: reason for row, reason in wrong.items() if not rows.is_blank[row]}
        found = self._find_no_data(buffer, rows, is_header | rows.is_blank, is_last)
        others = {row: reason for row, reason in found.items() if row not in wrong}
        wrong |= others
        bad = tuple(
            BadRow(
                self._file.name,
                int(lines[row]),
                reason,
                _text(buffer, rows, row),
                int(counts[row]),
                is_quote=row not in others and not reason.startswith(_HAS),
                is_data=row not in others,
            )
            for row, reason in sorted(wrong.items())
        )
        keep = ~rows.is_blank & ~is_header
        keep[list(wrong)] = False
        return Block(_join(buffer, rows, keep), first, bad, False, lines[keep], int(rows.is_blank.sum())), end

    def _are_comments(self, codes: NDArray[Any], rows: RowPositions) -> NDArray[Any]:
        if not self._csv.comment:
            return np.zeros(len(rows.starts), dtype=bool)
        return np.asarray(codes[rows.starts] == ord(self._csv.comment))

    def _find_no_data(self, buffer: bytes, rows: RowPositions, skip: NDArray[Any], is_last: bool) -> dict[int, str]:
        """Find the rows that are not data: a repeated header, and a line of totals at the file's end."""
        first = int(rows.starts[np.argmax(~skip)])
        repeats = [] if skip.all() else self._find_repeats(buffer, self._header, first)
        at = np.searchsorted(rows.starts, np.array(repeats, np.int64))
        found = {
            int(row): REPEATED_HEADER
            for row, start in zip(at, repeats, strict=True)
            if row < len(rows.starts) and rows.starts[row] == start and not skip[row]
        }
        known = np.flatnonzero(~skip)
        if is_last and len(known):
            last = buffer[rows.starts[known[-1]] : rows.ends[known[-1]]].strip(b"\r\n")
            if self._columns > 1 and (total := find_total(last, buffer, self._csv)):
                found[int(known[-1])] = total
        return found

    def _take_header(self, buffer: bytes, rows: RowPositions) -> NDArray[Any]:
        """Return which row is the header: the first non-blank row of the file."""
        is_header = np.zeros(len(rows.starts), dtype=bool)
        if not self._header and not rows.is_blank.all():
            row = int(np.argmax(~rows.is_blank))
            is_header[row] = True
            self._header = buffer[int(rows.starts[row]) : int(rows.ends[row])].strip(b"\r\n")
        return is_header

    def _find_bad(
        self, buffer: bytes, codes: NDArray[Any], rows: RowPositions, counts: NDArray[Any], skip: NDArray[Any]
    ) -> dict[int, str]:
        """Find the rows that cannot be trusted, with the reason."""
        wrong: dict[int, str] = {}
        for row in self._find_swallowers(buffer, codes, rows, counts, skip):
            wrong[row] = f"a quoted cell holds {counts[row] - 1:,} more lines that look like rows of the table"
        for row in np.unique(np.searchsorted(rows.ends, rows.garbage, side="right")):
            more = f" {counts[row] - 1:,} lines on" if counts[row] > 1 else ""
            wrong[int(row)] = f"a quoted cell is closed{more} by a quote followed by text"
        if rows.is_open:
            more = f"; {counts[-1] - 1:,} more lines are in it" if counts[-1] > 1 else ""
            wrong[len(counts) - 1] = f"a quoted cell is never closed{more}"
        for row in np.unique(np.searchsorted(rows.ends, np.flatnonzero(codes[: rows.ends[-1]] == _NUL), side="right")):
            wrong.setdefault(int(row), _HAS_NUL)
        if not self._is_valid(buffer, int(rows.ends[-1])):
            for row, (start, end) in enumerate(zip(rows.starts, rows.ends, strict=True)):
                try:
                    buffer[start:end].decode()
                except UnicodeDecodeError as error:
                    wrong.setdefault(row, self._invalid(buffer[start + error.start : end], error.end - error.start))
        return {row: reason for row, reason in wrong.items() if not skip[row]}

    def _invalid(self, text: bytes, size: int) -> str:
        encoding = self._file.encoding
        found = text[:size] if encoding == "utf-8" else original_bytes(text[:3])
        return f"{_HAS} bytes that are not {encoding}: 0x{found.hex()}"

    def _find_swallowers(
        self, buffer: bytes, codes: NDArray[Any], rows: RowPositions, counts: NDArray[Any], skip: NDArray[Any]
    ) -> Iterator[int]:
        """Find multi-line rows in which a cell seems to contain other rows."""
        several = np.flatnonzero((counts > 1) & ~skip)
        if not len(several):
            return
        edges = np.concatenate([[0], rows.breaks, [len(codes)]])
        per_line = np.diff(np.searchsorted(np.flatnonzero(codes == ord(self._csv.delimiter)), edges))
        fitting = np.append(0, np.cumsum(per_line == self._columns - 1))
        firsts = np.searchsorted(rows.breaks, rows.starts[several], side="right")
        candidates = several[fitting[firsts + counts[several]] > fitting[firsts + 1]]
        if not len(candidates):
            return
        shape = self._shape_of(buffer, rows, counts, skip)
        for row in candidates:
            if shape.is_swallowed(buffer[rows.starts[row] : rows.ends[row]]):
                yield int(row)

    def _shape_of(self, buffer: bytes, rows: RowPositions, counts: NDArray[Any], skip: NDArray[Any]) -> RowShape:
        """Learn the shape of this table's rows from single-line rows."""
        if self._shape is None:
            single = np.flatnonzero((counts == 1) & ~skip & ~rows.is_blank)
            chosen = single[:: max(len(single) // RowShape.SAMPLE, 1)][: RowShape.SAMPLE]
            self._shape = RowShape.learn([_text(buffer, rows, row) for row in chosen], self._columns, self._csv)
        return self._shape

    def _too_long(self) -> DataError:
        return DataError(
            f"a row is longer than {LONGEST_ROW >> 20} MiB: a quote is opened there and not closed",
            where=f"{self._file.name}, line {self._line}",
            remedy=quote_remedy(""),
        )


def _is_utf8(content: bytes, end: int) -> bool:
    """Return whether the first `end` bytes of a content are valid UTF-8."""
    if content.isascii():
        return True
    offsets = np.array([0, end], np.int64)
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(content)]).validate(
            full=True
        )
    except pa.ArrowInvalid:
        return False
    return True


def _header_end(buffer: bytes) -> int:
    """Return the offset after the first non-blank line, in a buffer without quotes."""
    start = len(buffer) - len(buffer.lstrip(b"\r\n"))
    end = buffer.find(b"\n", start)
    return end + 1 if end >= 0 else len(buffer)


def _text(buffer: bytes, rows: RowPositions, row: int) -> str:
    return buffer[int(rows.starts[row]) : int(rows.ends[row])].decode("utf-8", "replace").rstrip("\r\n")


def _join(buffer: bytes, rows: RowPositions, keep: NDArray[Any]) -> bytes:
    """Join the bytes of some rows; adjacent rows are copied in one slice."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    return b"".join(buffer[rows.starts[first] : rows.ends[last - 1]] for first, last in change.reshape(-1, 2))
