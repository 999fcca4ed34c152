"""The cells of a table that became missing, counted by column and value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from components._core.errors import DataError

_MOST_VALUES = 1_000
_FEWEST = 20
"""Odd cells of a column up to which a file is not refused."""
_SHOWN = 3
_REST = "…"


class CellCounts:
    """Cells by column and raw text, in bounded memory: from 1,000 different texts of a column on, new ones are counted together.

    Attributes:
        by_column: Cells by text, for each column that has any.
    """

    def __init__(self) -> None:
        self.by_column: dict[str, Counter[str]] = {}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.by_column)

    @property
    def total(self) -> int:
        """Number of cells."""
        return sum(counts.total() for counts in self.by_column.values())

    def texts(self, column: str) -> list[str]:
        """Return the different texts of a column's cells."""
        return list(self.by_column.get(column, ()))

    def add(self, column: str, counts: Mapping[str, int]) -> None:
        """Add cells of a column."""
        if not counts:
            return
        known = self.by_column.setdefault(column, Counter())
        for text, cells in counts.items():
            known[text if text in known or len(known) < _MOST_VALUES else _REST] += cells

    def merge(self, other: CellCounts) -> None:
        """Add the cells of another count."""
        for column, counts in other.by_column.items():
            self.add(column, counts)

    def to_json(self) -> list[Any]:
        """Convert to sorted lists: equal cells give equal JSON, in whatever order they came."""
        return [[column, sorted(counts.items())] for column, counts in sorted(self.by_column.items())]

    def describe(self) -> str:
        """Describe the cells, as in `age: 'unknown' (2), 'x' (1); city: ...`."""
        return "; ".join(f"{column}: {list_texts(counts)}" for column, counts in sorted(self.by_column.items()))


def check_fitting(odd: CellCounts, fitting: Mapping[str, int], file: str) -> None:
    """Refuse a file in which half of a column's cells do not fit how they are read: its entry in the project is wrong.

    Args:
        odd: Cells that do not fit.
        fitting: Number of cells that fit by column.
        file: The file, for messages.

    Raises:
        DataError: With the column and its most frequent cells.
    """
    for column, counts in sorted(odd.by_column.items()):
        cells = counts.total()
        known = cells + fitting.get(column, 0)
        if cells >= _FEWEST and 2 * cells >= known:
            message = f"{cells:,} of {known:,} cells of {column!r} do not fit how it is read: {list_texts(counts)}"
            remedy = f"correct the entry of {column!r} in data.columns, or the file; texts that mean that there is no value: missing: [...] in that entry"
            raise DataError(message, where=file, remedy=remedy)


def list_texts(counts: Mapping[str, int]) -> str:
    """List texts with their counts, the most frequent first: `'?' (12), ' ' (3) and 2 others`."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"{_quote(text)} ({cells:,})" for text, cells in ranked[:_SHOWN])
    others = len(ranked) - _SHOWN
    return shown + (f" and {others:,} other{'s' if others > 1 else ''}" if others > 0 else "")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:29] + "…")


def count_texts(texts: Iterable[str], cells: Iterable[int]) -> dict[str, int]:
    """Count cells by text."""
    counts: Counter[str] = Counter()
    for text, number in zip(texts, cells, strict=True):
        counts[text] += int(number)
    return dict(counts)
