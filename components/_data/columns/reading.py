"""How a column's cells are read, and the conversion of a batch of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.project.column_config import ColumnReading, OddCells
from components._core.types.column_types import to_text
from components._data.columns.cell_counts import count_texts
from components._data.columns.dates import Order, parse_dates
from components._data.columns.missing import LABEL_MARKERS, is_any_of, is_missing
from components._data.columns.numbers import Decimal, cast_numbers, parse_numbers
from components._data.columns.times_of_day import parse_times

Kind = Literal["number", "date", "time", "text"]
_KINDS: dict[str, Kind] = {
    "number": "number",
    "date": "date",
    "time": "time",
    "category": "text",
    "text": "text",
    "identifier": "text",
}
"""Kind of cells by type in `data.columns`."""


@dataclass(frozen=True)
class Converted:
    """A batch of a column's cells as values.

    Attributes:
        values: The values, in the column's type of examples; null where a cell is missing or odd.
        is_odd: Where a cell does not fit the column's type, shape [rows].
        odd: Number of these cells by text.
        missing: Number of cells by text that stand for a missing value; empty cells are not counted.
    """

    values: pa.Array
    is_odd: NDArray[np.bool_]
    odd: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """How the cells of a column become values.

    Attributes:
        kind: What the cells are; `text` keeps every cell as it is, but for the missing ones.
        decimal: Decimal separator of numbers.
        order: Order of day, month and year of dates.
        missing: Texts that are missing besides the usual ones; texts have no usual ones.
        odd_cells: What an odd cell becomes.
    """

    kind: Kind
    decimal: Decimal = "."
    order: Order = "dmy"
    missing: frozenset[str] = frozenset()
    odd_cells: OddCells = "missing"

    @classmethod
    def of(cls, column: ColumnReading, odd_cells: OddCells) -> Reading:
        """Create it from an entry of `data.columns`."""
        kind = _KINDS[column.type]
        missing = frozenset(text.strip() for text in column.missing)
        return cls(kind, column.decimal, column.order, missing, odd_cells)

    def convert(self, column: pa.Array, kind: pa.DataType) -> Converted:
        """Convert cells to values; each different text is converted once.

        Args:
            column: Cells as texts, dictionary-encoded or not, or as typed values; shape [rows].
            kind: The column's type in examples.
        """
        values = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if self.kind == "number" and (pa.types.is_integer(values) or pa.types.is_floating(values)):
            return self._without_sentinels(column, kind)
        encoded = column if pa.types.is_dictionary(column.type) else _as_text(column).dictionary_encode()
        texts = _as_text(encoded.dictionary)
        trimmed = pc.utf8_trim_whitespace(texts)
        known = np.asarray(pc.not_equal(texts, "").fill_null(False))
        parsed, is_absent = self._parse(texts, trimmed, kind)
        odd = known & ~is_absent & np.asarray(parsed.is_null())
        result = pc.if_else(pa.array(is_absent | ~known), pa.scalar(None, kind), parsed)
        places = encoded.indices
        cells = np.bincount(np.asarray(places.drop_null()), minlength=len(texts))
        is_odd = np.append(odd, False)[np.asarray(places.fill_null(len(texts)))]
        return Converted(
            result.take(places), is_odd, _count(texts, cells, odd), _count(texts, cells, known & is_absent)
        )

    def _parse(self, texts: pa.Array, trimmed: pa.Array, kind: pa.DataType) -> tuple[pa.Array, NDArray[np.bool_]]:
        """Parse different texts, and return the values and where one is missing."""
        named = np.asarray(is_any_of(trimmed, self.missing))
        if self.kind == "text":
            return texts.cast(kind), named
        absent = named | np.asarray(is_missing(trimmed).fill_null(True))
        if self.kind == "date":
            return parse_dates(trimmed, self.order).iso.cast(kind), absent
        if self.kind == "time":
            return parse_times(trimmed).cast(kind), absent
        numbers = cast_numbers(parse_numbers(trimmed, self.decimal), kind)
        return numbers, absent | np.asarray(pc.is_in(numbers, value_set=self._sentinels(kind)))

    def _without_sentinels(self, column: pa.Array, kind: pa.DataType) -> Converted:
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        is_absent = pc.is_in(plain, value_set=self._sentinels(plain.type))
        found = pc.value_counts(plain.filter(is_absent)).to_pylist()
        values = pc.if_else(is_absent, pa.scalar(None, plain.type), plain).cast(kind)
        counts = {str(item["values"]): item["counts"] for item in found}
        return Converted(values, np.zeros(len(column), bool), missing=counts)

    def _sentinels(self, kind: pa.DataType) -> pa.Array:
        """Return the missing values that are numbers, in a numeric type."""
        texts = pa.array(sorted(self.missing), pa.string())
        return cast_numbers(parse_numbers(texts, self.decimal), kind).drop_null()


LABEL_READING = Reading("text", missing=frozenset(LABEL_MARKERS))
"""The reading of a label of texts without an entry in `data.columns`."""


def _as_text(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else to_text(column)


def _count(texts: pa.Array, cells: NDArray[Any], chosen: NDArray[np.bool_]) -> dict[str, int]:
    if not chosen.any():
        return {}
    return {
        text: number
        for text, number in count_texts(texts.filter(pa.array(chosen)).to_pylist(), cells[chosen]).items()
        if number
    }
