"""Dates of a column that contradict each other in the order of day and month.

`25/03/2023` can only be read day first, `03/25/2023` only month first, and `03/04/2023` either way. A column that has
cells of the first two kinds was put together from two orders, and each cell of the third kind may be swapped: nothing in
it says which order it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._data.columns.dates import ENOUGH, Order

Kind = Literal["dmy", "mdy", "both"]

ORDER_NAMES: dict[Order, str] = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
_SHAPES: dict[Order, str] = {"dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY", "ymd": "YY/MM/DD"}
_OTHER: dict[Order, Order] = {"dmy": "mdy", "mdy": "dmy"}
_NUMBERS = (
    r"^\s*(?P<first>[0-9]{1,2})\s*[-./]\s*(?P<middle>[0-9]{1,2})\s*[-./]\s*(?:[0-9]{4}|[0-9]{2})(?:\.?\s*|[\sT,].*)$"
)
_VERSIONS = r"^\s*[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2}\s*$"
"""Texts that may be versions as well as dates with points, which nobody writes month first."""
_FIRST_LOOK = 1_000
"""Cells after which a column that has hardly any such date is not examined further."""
_MOST_CONTRARY = 0.1
_LIKE_DATES = 0.5
"""Share of a text column's cells that must be such dates; texts such as versions (`1.2.34`) are few among others."""


@dataclass
class OrderCount:
    """The cells of a column that are dates of three numbers, the year last.

    Attributes:
        cells: Cells that are not missing.
        dmy: Those that are a date only with the day first.
        mdy: Those that are a date only with the month first.
        both: Those that are two different dates.
        first: The first cell of either kind and its place, as in `t.csv, line 7`.
        order: The order in which they are read; None: they are kept as text.
    """

    cells: int = 0
    dmy: int = 0
    mdy: int = 0
    both: int = 0
    first: dict[Kind, tuple[str, str]] = field(default_factory=dict)
    order: Order | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether the cells contradict each other, or the order in which they are read."""
        if self.order is not None:
            return bool(self.contrary)
        dates = self.dmy + self.mdy + self.both
        return bool(self.dmy and self.mdy) and dates >= _LIKE_DATES * self.cells

    @property
    def is_wrong_order(self) -> bool:
        """Whether more than a tenth of the cells that have one order only contradict that in which they are read, and these are not a few."""
        least = max(_MOST_CONTRARY * (self.contrary + self.agreeing), (1 - ENOUGH) * self.cells)
        return self.order is not None and self.contrary > least

    @property
    def contrary(self) -> int:
        """Cells that are a date only in the other order than that in which they are read."""
        return 0 if self.order is None or self.order not in _OTHER else self._cells_of(_OTHER[self.order])

    @property
    def agreeing(self) -> int:
        """Cells that are a date only in the order in which they are read."""
        return 0 if self.order is None or self.order not in _OTHER else self._cells_of(self.order)

    def describe(self) -> str:
        """Describe the orders with counts, an example and what follows."""
        if self.order is None:
            parts = [self._describe_kind("dmy"), self._describe_kind("mdy")]
            return f"dates in two orders, kept as text: {', '.join(parts)}, {self.both:,} either way"
        parts = [self._describe_kind(_OTHER[self.order]), self._describe_kind(self.order)]
        swapped = f"{self.both:,} either way, and these may be swapped" if self.both else "none either way"
        return f"dates are read {ORDER_NAMES[self.order]}, but of them {', '.join(parts)}, {swapped}"

    def remedy(self, column: str, section: str = "data.columns") -> str:
        """Return what to do.

        Args:
            column: The column's name.
            section: Section of the project file that says how its cells are read.
        """
        text = f"{section}, {column}: {{type: text}}"
        if self.order is not None and not self.agreeing:
            return f"read them {ORDER_NAMES[_OTHER[self.order]]}: {section}, {column}: {{type: date, order: {_OTHER[self.order]}}}"
        keep = "" if self.order is None else f", or keep the column as text: {text}"
        return f"write one order in the source, best YYYY-MM-DD{keep}"

    def add(self, other: OrderCount) -> None:
        """Add the cells of another count of the column."""
        self.cells += other.cells
        self.dmy += other.dmy
        self.mdy += other.mdy
        self.both += other.both
        self.first = {**other.first, **self.first}
        self.order = other.order

    def _cells_of(self, order: Order) -> int:
        return self.dmy if order == "dmy" else self.mdy

    def _describe_kind(self, order: Order) -> str:
        cells = self._cells_of(order)
        kind: Kind = "dmy" if order == "dmy" else "mdy"
        text, place = self.first.get(kind, ("", ""))
        example = f" (the first: {text!r}, {place})" if text else ""
        return f"{cells:,} can only be {_SHAPES[order]}{example}"


class OrderCounts:
    """Counts of a table's columns; one that does not look like dates is examined for a moment only.

    Attributes:
        by_column: The count of each column that has such dates.
    """

    def __init__(self) -> None:
        self.by_column: dict[str, OrderCount] = {}
        self._others: set[str] = set()

    def add(self, column: str, texts: pa.Array, order: Order | None, place: Callable[[int], str]) -> None:
        """Add cells of a column.

        Args:
            column: Its name.
            texts: Cells, null or empty where there is none; shape [rows].
            order: The order in which they are read; None: they are kept as text.
            place: Returns the place of a row.
        """
        if column in self._others or order == "ymd":
            return
        if order is None and column not in self.by_column and not _looks_like_dates(texts.slice(0, _FIRST_LOOK)):
            if len(texts) - texts.null_count:
                self._others.add(column)
            return
        count = _count(texts, place)
        count.order = order
        self.by_column.setdefault(column, OrderCount(order=order)).add(count)

    def merge(self, other: OrderCounts) -> None:
        """Add the cells of another file."""
        for column, count in other.by_column.items():
            self.by_column.setdefault(column, OrderCount(order=count.order)).add(count)

    def check_orders(self, section: str = "data.columns") -> None:
        """Refuse a file whose dates say that they are read in the wrong order: the day and month of many would be swapped.

        Args:
            section: Section of the project file that says how cells are read.

        Raises:
            DataError: With the first cell that says so, and the counts.
        """
        for column, count in self.mixed().items():
            if count.is_wrong_order:
                _, place = count.first["mdy" if count.order == "dmy" else "dmy"]
                raise DataError(f"{column}: {count.describe()}", where=place, remedy=count.remedy(column, section))

    def mixed(self) -> dict[str, OrderCount]:
        """Return the columns whose dates contradict each other or the order in which they are read."""
        return {column: count for column, count in sorted(self.by_column.items()) if count.is_mixed}

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON."""
        return {
            column: [count.cells, count.dmy, count.mdy, count.both, count.first, count.order]
            for column, count in self.by_column.items()
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> OrderCounts:
        """Convert from JSON."""
        found = cls()
        for column, (cells, dmy, mdy, both, first, order) in raw.items():
            texts = {kind: (text, place) for kind, (text, place) in first.items()}
            found.by_column[column] = OrderCount(cells, dmy, mdy, both, texts, order)
        return found


def merge_orders(counts: Iterable[OrderCounts]) -> OrderCounts:
    """Return the counts of several files together."""
    merged = OrderCounts()
    for count in counts:
        merged.merge(count)
    return merged


def _looks_like_dates(texts: pa.Array) -> bool:
    known = texts.drop_null()
    known = known.filter(pc.not_equal(known, ""))
    known = known.filter(pc.invert(pc.match_substring_regex(known, _VERSIONS)))
    found = pc.sum(pc.match_substring_regex(known, _NUMBERS)).as_py() or 0
    return bool(len(known)) and bool(found >= _LIKE_DATES * len(known))


def _count(texts: pa.Array, place: Callable[[int], str]) -> OrderCount:
    encoded = texts.dictionary_encode()
    known = encoded.dictionary
    found = pc.extract_regex(known, _NUMBERS)
    numbers = [
        np.asarray(pc.struct_field(found, [part]).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
        for part in (0, 1)
    ]
    first, middle = numbers
    is_date = (np.maximum(first, middle) <= 31) & (np.minimum(first, middle) >= 1)
    kinds: dict[Kind, Any] = {
        "dmy": is_date & (first > 12) & (middle <= 12),
        "mdy": is_date & (middle > 12) & (first <= 12),
        "both": is_date & (first <= 12) & (middle <= 12) & (first != middle),
    }
    places = np.asarray(encoded.indices.fill_null(len(known)))
    cells = np.bincount(places, minlength=len(known) + 1)[: len(known)]
    count = OrderCount(int(cells[np.asarray(pc.not_equal(known, "")).astype(bool)].sum()))
    for kind, chosen in kinds.items():
        setattr(count, kind, int(cells[chosen].sum()))
        if kind != "both" and chosen.any():
            row = int(np.flatnonzero(np.append(chosen, False)[places])[0])
            count.first[kind] = (str(texts[row].as_py()), place(row))
    return count
