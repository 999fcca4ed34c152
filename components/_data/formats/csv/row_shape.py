"""The typical shape of a table's rows, to distinguish a cell with swallowed rows from one with line breaks, such as an address.

A line of text may have the header's number of fields by chance; but only rows also have numbers where the table has
numbers, and known values where the table has few.
"""

from __future__ import annotations

import csv as python_csv
import re
from dataclasses import dataclass
from typing import ClassVar

from components._core.project.table_config import Csv

_MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
_MOST_VALUES = 100
_MOST_LINES = 500


@dataclass(frozen=True)
class RowShape:
    """The shape of a row.

    Attributes:
        columns: Number of fields.
        numbers: Columns, by index, that hold numbers.
        values: The values of columns that hold few, by index.
        csv: CSV options of the file.
    """

    columns: int
    numbers: frozenset[int]
    values: dict[int, frozenset[str]]
    csv: Csv

    SAMPLE: ClassVar[int] = 1_000
    """Number of rows to learn from: enough to see all values of a column with few."""

    @classmethod
    def learn(cls, lines: list[str], columns: int, csv: Csv) -> RowShape:
        """Learn the shape from single-line rows.

        Args:
            lines: The rows as text.
            columns: Number of fields in the header.
            csv: CSV options of the file.
        """
        rows = [row for row in _parse(lines, csv) if len(row) == columns]
        by_column = list(zip(*rows, strict=True)) if rows else []
        numbers = frozenset(index for index, cells in enumerate(by_column) if _are_numbers(cells))
        few = {
            index: frozenset(cells)
            for index, cells in enumerate(by_column)
            if index not in numbers and len(set(cells)) <= min(max(2, len(rows) // 10), _MOST_VALUES)
        }
        return cls(columns, numbers, few, csv)

    def is_swallowed(self, row: bytes) -> bool:
        """Return whether a multi-line row seems to contain other rows: most inner lines look like one, or the first and last do."""
        lines = re.split(r"\r\n|\r|\n", row.decode("utf-8", "replace").rstrip("\r\n"))
        first, inner, last = lines[0], lines[1:-1][:_MOST_LINES], lines[-1]
        fitting = sum(map(self.fits, inner))
        if not (self.numbers or self.values):
            return fitting >= 3 and fitting == len(inner) and self.columns > 2
        if len(lines) > 1 and self.fits(first) and self.fits(last):
            return True
        is_distinctive = (
            len(self.numbers) + len(self.values) > 1
        )  # one number at a line's end may be an address's ZIP code
        return is_distinctive and fitting > 0 and 2 * fitting >= len(inner)

    def fits(self, line: str) -> bool:
        """Return whether a line, ignoring quotes, looks like a row by its fields."""
        cells = [_bare(cell, self.csv) for cell in line.split(self.csv.delimiter)]
        if len(cells) != self.columns:
            return False
        return all(_is_number(cells[index]) for index in self.numbers) and all(
            cells[index] in values or cells[index].strip().lower() in _MISSING for index, values in self.values.items()
        )


def _parse(lines: list[str], csv: Csv) -> list[list[str]]:
    marks = {"delimiter": csv.delimiter, "quotechar": csv.quote or None, "escapechar": csv.escape or None}
    dialect = type("dialect", (python_csv.excel,), {**marks, "quoting": 0 if csv.quote else python_csv.QUOTE_NONE})
    try:
        return list(python_csv.reader(lines, dialect))
    except python_csv.Error:  # a cell longer than the module's limit
        return []


def _bare(cell: str, csv: Csv) -> str:
    return cell.replace(csv.quote, "") if csv.quote else cell


def _are_numbers(cells: tuple[str, ...]) -> bool:
    wrong = sum(not _is_number(cell) for cell in cells)
    known = sum(cell.strip().lower() not in _MISSING for cell in cells)
    return known > 0 and wrong <= len(cells) // 100


def _is_number(cell: str) -> bool:
    text = cell.strip()
    if text.lower() in _MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
