"""Cut the rows of a table into parts: the unit that is answered, written and resumed. Equal tables give equal parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.rows import Rows
from components._data.sources.contract import SpanFile
from components.predict.scoring_table import ScoringTable

_CELLS = 1 << 21
_MOST_ROWS, _FEWEST_ROWS = 100_000, 1_000
_MOST_BYTES = 128 << 20


@dataclass
class Part:
    """Some rows of a table.

    Attributes:
        number: Its place among the parts, from 0.
        rows: Its rows, by file, in order.
        unit: What the places of rows in their file count: lines or rows.
        unreadable: Rows that cannot be read, which were met with them.
    """

    number: int
    unit: str
    rows: list[tuple[SpanFile, Rows]] = field(default_factory=list)
    unreadable: list[BadRow] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of rows that can be read."""
        return sum(rows.examples.num_rows for _, rows in self.rows)


def part_rows(columns: int) -> int:
    """Return the most rows of a part of a table with so many columns."""
    return min(max(_CELLS // max(columns, 1), _FEWEST_ROWS), _MOST_ROWS)


def cut_parts(table: ScoringTable, most_rows: int, aside: BadRowCount) -> Iterator[Part]:
    """Read a table and yield its parts.

    Args:
        table: The table.
        most_rows: The most rows of a part; one of long texts has fewer.
        aside: Counts the rows that cannot be read.

    Raises:
        DataError: When the table is damaged.
    """
    part, size = Part(0, table.table.unit), 0

    def reject(row: BadRow) -> None:
        aside.add(row)
        part.unreadable.append(row)

    for file, read in table.read(reject):
        rest: Rows | None = read
        while rest is not None:
            first, rest = _split(rest, most_rows - part.count)
            part.rows.append((file, first))
            size += first.examples.nbytes
            if part.count >= most_rows or size >= _MOST_BYTES or len(part.unreadable) >= most_rows:
                yield part
                part, size = Part(part.number + 1, part.unit), 0
    if part.rows or part.unreadable:
        yield part


def _split(rows: Rows, count: int) -> tuple[Rows, Rows | None]:
    if rows.examples.num_rows <= count:
        return rows, None
    return slice_rows(rows, 0, count), slice_rows(rows, count, rows.examples.num_rows)


def slice_rows(rows: Rows, start: int, end: int) -> Rows:
    """Return the rows from `start` up to `end`."""
    count = end - start
    return Rows(
        rows.examples.slice(start, count), rows.cells.slice(start, count), lambda: rows.lines()[start : start + count]
    )
