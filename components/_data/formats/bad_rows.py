"""Rows that cannot be read, and the limit for quote errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from components._core.errors import DataError

QUOTE_LIMIT = 0.01
"""Maximum share of rows with quote errors: beyond it the CSV options are wrong, which no quarantine limit allows."""


WRONG_TYPE, NOT_FINITE = "wrong_type", "not_finite"
"""Codes of cells that cannot be read: a value of another type, and one that is infinite or too large."""


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read.

    Attributes:
        file: Name of the file.
        line: The physical line where the row begins, from 1, the header included; in a file without lines, the row's
            number.
        reason: Why the row could not be read.
        text: Text of the row.
        lines: Number of lines of the row; after a quote error so many rows may be lost.
        is_quote: Whether it is a quote error, so that the row's borders are uncertain.
        is_data: Whether it is a row of the table, which a repeated header or a line of totals is not: `data.quarantine_limit`
            is about rows of the table.
        unit: Unit of `line`.
        code: The code by which a server refuses such a value, as in `_predictor/refusals.py`; empty: the row itself cannot be read.
    """

    file: str
    line: int
    reason: str
    text: str
    lines: int = 1
    is_quote: bool = False
    is_data: bool = True
    unit: Literal["line", "row"] = "line"
    code: str = ""

    @property
    def rows(self) -> int:
        """Number of rows that it represents."""
        return self.lines if self.is_quote else 1

    @property
    def place(self) -> str:
        """Location of the row, for messages."""
        return f"{self.file}, {self.unit} {self.line}"

    def to_dict(self) -> dict[str, Any]:
        """Convert to the form kept in the quarantine."""
        return {name: value for name, value in asdict(self).items() if name not in ("unit", "is_data", "code")}


@dataclass
class BadRowCount:
    """Rows set aside, counted.

    Attributes:
        rows: Number of rows set aside that are data.
        quote_rows: Number of them with a quote error.
        first: The first row set aside.
        first_quote: The first row with a quote error.
        others: Number of rows set aside that are not data, by reason.
        first_others: The first row for each of these reasons.
    """

    rows: int = 0
    quote_rows: int = 0
    first: BadRow | None = None
    first_quote: BadRow | None = None
    others: dict[str, int] = field(default_factory=dict)
    first_others: dict[str, BadRow] = field(default_factory=dict)

    def add(self, row: BadRow) -> None:
        """Count one more row."""
        if not row.is_data:
            self.others[row.reason] = self.others.get(row.reason, 0) + 1
            self.first_others.setdefault(row.reason, row)
            return
        self.rows += row.rows
        self.first = self.first or row
        if row.is_quote:
            self.quote_rows += row.rows
            self.first_quote = self.first_quote or row

    def check_quotes(self, kept: int) -> None:
        """Refuse a table with more quote errors than `QUOTE_LIMIT`, whatever the quarantine limit.

        Args:
            kept: Rows that were read.

        Raises:
            DataError: With the location of the first one, and the settings that read such a file.
        """
        share = self.quote_rows / max(kept + self.rows, 1)
        if self.first_quote is None or share <= QUOTE_LIMIT:
            return
        row = self.first_quote
        message = (
            f"quote errors in {self.quote_rows:,} of {kept + self.rows:,} rows ({share:.2%}; allowed {QUOTE_LIMIT:.0%})"
        )
        raise DataError(f"{message}; the first: {row.reason}", where=row.place, remedy=quote_remedy(row.text))


def quote_remedy(text: str) -> str:
    """Return the remedy for quote errors.

    Args:
        text: Text of the row.
    """
    here = ", as here" if '\\"' in text else ""
    return (
        'close the quote in the file, or double a quote inside of a cell (""); '
        f"if a backslash precedes such a quote{here}, set data.csv.escape to '\\' (naru new --escape '\\'); "
        "if quotes enclose nothing in this file, set data.csv.quote to '' (naru new --quote '')"
    )
