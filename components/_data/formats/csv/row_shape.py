"""How a row of one table looks, so that a cell which holds whole rows is told from one that holds an address.

A line of a text has the header's number of fields now and then; that each of its fields also is a number where the table has
numbers, and a known value where the table has few, happens only to rows.
"""

from __future__ import annotations

import csv as python_csv
import re
from dataclasses import dataclass
from typing import ClassVar

from components._core.project.project_file import Csv

_MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
_MOST_VALUES = 100
_MOST_LINES = 500


@dataclass(frozen=True)
class RowShape:
    """How a row looks.

    Attributes:
        columns: Its fields.
        numbers: Columns, by index, that hold numbers.
        values: The values of columns that hold few, by index.
        csv: How the file is written.
    """

    columns: int
    numbers: frozenset[int]
    values: dict[int, frozenset[str]]
    csv: Csv

    SAMPLE: ClassVar[int] = 1_000
    """Rows to learn from: enough for the values of a column that has few."""

    @classmethod
    def learn(cls, lines: list[str], columns: int, csv: Csv) -> RowShape:
        """Learn it from rows that take one line each.

        Args:
            lines: The rows as they stand.
            columns: Fields of the header.
            csv: How the file is written.
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
        """Whether a row over several lines seems to hold other rows: most of its inner lines look like one, or its first and last do."""
        lines = re.split(r"\r\n|\r|\n", row.decode("utf-8", "replace").rstrip("\r\n"))
        first, inner, last = lines[0], lines[1:-1][:_MOST_LINES], lines[-1]
        fitting = sum(map(self.fits, inner))
        if not (self.numbers or self.values):
            return fitting >= 3 and fitting == len(inner) and self.columns > 2
        if len(lines) > 1 and self.fits(first) and self.fits(last):
            return True
        is_telling = len(self.numbers) + len(self.values) > 1  # one number at a line's end may be an address's ZIP code
        return is_telling and fitting > 0 and 2 * fitting >= len(inner)

    def fits(self, line: str) -> bool:
        """Whether a line, read without regard to quotes, is a row by its fields."""
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
    except python_csv.Error:  # a cell longer than the module takes
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
