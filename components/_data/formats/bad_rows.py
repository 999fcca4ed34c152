"""Rows that cannot be read, and how many of them whose quotes go wrong are too many."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from components._core.errors import DataError

QUOTE_LIMIT = 0.01
"""Share of the rows that quotes may take: beyond it the file is written otherwise than it is read, and no limit allows that."""


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read.

    Attributes:
        file: Name of its file.
        line: The physical line that it begins on, from 1, the header included; in a file without lines, the row's number.
        reason: What was wrong.
        text: The row as it stood.
        lines: The lines that it takes; where a quote goes wrong, so many rows may be lost.
        is_quote: Whether it is a quote that goes wrong, so that the row's borders are uncertain.
        unit: What `line` counts.
    """

    file: str
    line: int
    reason: str
    text: str
    lines: int = 1
    is_quote: bool = False
    unit: Literal["line", "row"] = "line"

    @property
    def rows(self) -> int:
        """Rows that it stands for."""
        return self.lines if self.is_quote else 1

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.file}, {self.unit} {self.line}"

    def to_dict(self) -> dict[str, Any]:
        """As the quarantine keeps it."""
        return {name: value for name, value in asdict(self).items() if name != "unit"}


@dataclass
class BadRowCount:
    """Rows set aside, counted.

    Attributes:
        rows: How many.
        quote_rows: How many of them quotes took.
        first: The first of them.
        first_quote: The first of those that quotes took.
    """

    rows: int = 0
    quote_rows: int = 0
    first: BadRow | None = None
    first_quote: BadRow | None = None

    def add(self, row: BadRow) -> None:
        """Count one more."""
        self.rows += row.rows
        self.first = self.first or row
        if row.is_quote:
            self.quote_rows += row.rows
            self.first_quote = self.first_quote or row

    def check_quotes(self, kept: int) -> None:
        """Refuse a table of which quotes take more than `QUOTE_LIMIT`, whatever else is allowed.

        Args:
            kept: Rows that were read.

        Raises:
            DataError: With the place of the first one, and the settings that read such a file.
        """
        share = self.quote_rows / max(kept + self.rows, 1)
        if self.first_quote is None or share <= QUOTE_LIMIT:
            return
        row = self.first_quote
        message = f"quotes go wrong in {self.quote_rows:,} of {kept + self.rows:,} rows ({share:.2%}; allowed {QUOTE_LIMIT:.0%})"
        raise DataError(f"{message}; the first: {row.reason}", where=row.place, remedy=quote_remedy(row.text))


def quote_remedy(text: str) -> str:
    """What to do about quotes that go wrong.

    Args:
        text: The row as it stands.
    """
    here = ", as here" if '\\"' in text else ""
    return (
        'close the quote in the file, or double a quote inside of a cell (""); '
        f"if a backslash stands before such a quote{here}, set data.csv.escape to '\\' (naru new --escape '\\'); "
        "if quotes enclose nothing in this file, set data.csv.quote to '' (naru new --quote '')"
    )
