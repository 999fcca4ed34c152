"""Decide from a column's cells whether it is a number, batch by batch in bounded memory.

A majority decides, not unanimity. A column is a number when its cells that are neither empty nor a missing marker are
numbers, but for

- 5 % at most, of any kind, or
- fewer than half, if they are words of 5 kinds at most and the column has more than 20 different numbers, or they are
  words such as `unknown`.

So a column of 1, 2, 3, A and B stays a category, and ticket numbers of which some have letters stay texts. The numbers
must have one unit, if they have any; digits that a number would change are codes (`codes.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._data.columns.codes import Digits
from components._data.columns.missing import MISSING_WORDS, is_missing
from components._data.columns.numbers import Decimal, cast_numbers, parse_numbers

_MOST_ODD = 0.05
_MOST_ODD_WORDS = 5
_DIFFERENT_NUMBERS = 20
_ONE_UNIT = 0.95
_MOST_UNITS = 100
_FIRST_LOOK = 1_000
"""Cells after which a column that is plainly text is not examined further."""


@dataclass(frozen=True)
class Verdict:
    """What the cells of a column are.

    Attributes:
        type: int64 or float64; string; null when there is no value.
        decimal: Decimal separator of numbers.
        unit: Unit of numbers, such as `$` or `%`; empty: none.
        needs_reading: Whether some cells are not numbers as Arrow reads them.
        note: What a person should know, such as why digits are codes; empty: nothing.
    """

    type: pa.DataType
    decimal: Decimal = "."
    unit: str = ""
    needs_reading: bool = False
    note: str = ""

    @property
    def is_code(self) -> bool:
        """Whether the column is text although its cells are digits."""
        return bool(self.note) and not self.is_number

    def describe(self) -> str:
        """Describe what a person should know; empty: nothing."""
        unit = f"in {self.unit}" if self.is_number and self.unit else ""
        comma = "decimal comma" if self.is_number and self.decimal == "," else ""
        return "; ".join(part for part in (unit, comma, self.note) if part)

    @property
    def is_number(self) -> bool:
        """Whether the column is a number."""
        return bool(pa.types.is_integer(self.type) or pa.types.is_floating(self.type))


class _Style:
    """Counts over the cells of a column, read with one of the two decimal separators."""

    def __init__(self, decimal: Decimal) -> None:
        self.decimal = decimal
        self.numbers = 0
        self.is_whole = True
        self.units: Counter[str] = Counter()
        self.odd: set[str] = set()
        self.different: set[str] = set()

    def add(self, trimmed: pa.Array, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add different texts with the number of cells of each, and return where one is a number."""
        parsed = parse_numbers(trimmed, self.decimal)
        is_number = np.asarray(cast_numbers(parsed, pa.float64()).is_valid())
        mask = pa.array(is_number)
        self.numbers += int(counts[is_number].sum())
        self.is_whole = self.is_whole and bool(parsed.is_whole[is_number].all())
        _extend(self.odd, trimmed.filter(pc.invert(mask)), _MOST_ODD_WORDS)
        _extend(self.different, parsed.plain.filter(mask), _DIFFERENT_NUMBERS)
        for unit, cells in zip(parsed.units.filter(mask).to_pylist(), counts[is_number], strict=True):
            if unit and (unit in self.units or len(self.units) < _MOST_UNITS):
                self.units[unit] += int(cells)
        return is_number

    @property
    def unit(self) -> str | None:
        """The unit; empty: none; None: there are several."""
        if not self.units:
            return ""
        by_form: Counter[str] = Counter()
        for unit, cells in self.units.items():
            by_form[unit.lower().rstrip("s")] += cells
        form, cells = by_form.most_common(1)[0]
        if cells < _ONE_UNIT * self.units.total():
            return None
        return max((unit for unit in self.units if unit.lower().rstrip("s") == form), key=lambda unit: self.units[unit])

    @property
    def has_odd_words(self) -> bool:
        """Whether the cells that are not numbers are a few different words."""
        return len(self.odd) <= _MOST_ODD_WORDS and not any(any(map(str.isdigit, text)) for text in self.odd)


class ArrowNumbers:
    """Counts over the cells of a column that Arrow has read as numbers, before it met a text.

    Attributes:
        cells: Number of cells that are not missing.
        is_whole: Whether they are whole numbers.
        has_fraction: Whether one of them has decimal places, so that the decimal separator is a point.
        different: Some different numbers as text, as many as a decision needs.
    """

    def __init__(self) -> None:
        self.cells = 0
        self.is_whole = True
        self.has_fraction = False
        self.different: set[str] = set()

    def add(self, column: pa.Array) -> None:
        """Add a batch of numbers."""
        self.cells += len(column) - column.null_count
        self.is_whole = bool(pa.types.is_integer(column.type) or pa.types.is_null(column.type))
        if not self.has_fraction and pa.types.is_floating(column.type):
            fractions = pc.and_(pc.is_finite(column), pc.not_equal(pc.floor(column), column))
            self.has_fraction = bool(pc.any(fractions).as_py())
        if len(self.different) <= _DIFFERENT_NUMBERS:
            known = column.slice(0, _FIRST_LOOK).drop_null().unique()
            self.different.update(map(str, known.slice(0, _DIFFERENT_NUMBERS + 1).to_pylist()))


class ColumnSurvey:
    """Counts over the cells of one column.

    Args:
        numbers: Cells of the column before these, which Arrow has read as numbers.
    """

    def __init__(self, numbers: ArrowNumbers | None = None) -> None:
        numbers = numbers or ArrowNumbers()
        self.is_text = False
        """Whether it is certain that the column is text, so that no further cell matters."""
        self._by_arrow = numbers.cells
        self._known = 0
        self._by_arrow_alone = True
        self._styles = (_Style("."), _Style(","))
        for style in self._styles:
            style.is_whole, style.different = numbers.is_whole, set(numbers.different)
        self._only = [0, 0]
        self._either = 0
        self._digits = Digits()

    def add(self, texts: pa.Array) -> None:
        """Add a batch of cells; null or empty where there is none."""
        for part in (texts.slice(0, _FIRST_LOOK), texts.slice(_FIRST_LOOK)):
            if len(part) and not self.is_text:
                self._count(part)
                numbers = self._by_arrow + max(style.numbers for style in self._styles)
                self.is_text = self._known >= _FIRST_LOOK // 2 and 2 * numbers < self._known + self._by_arrow

    def _count(self, texts: pa.Array) -> None:
        counted = texts.drop_null().value_counts()
        different, counts = counted.field("values"), np.asarray(counted.field("counts"))
        trimmed = pc.utf8_trim_whitespace(different)
        absent = np.asarray(is_missing(trimmed))
        plain = np.asarray(pc.match_substring_regex(different, r"^(-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)?$"))
        self._by_arrow_alone = self._by_arrow_alone and bool(plain.all())
        trimmed, counts = trimmed.filter(pa.array(~absent)), counts[~absent]
        if not len(trimmed):
            return
        self._known += int(counts.sum())
        self._digits.add(trimmed, counts)
        by_point, by_comma = (style.add(trimmed, counts) for style in self._styles)
        self._only[0] += int(counts[by_point & ~by_comma].sum())
        self._only[1] += int(counts[by_comma & ~by_point].sum())
        separated = np.asarray(pc.match_substring_regex(trimmed, "[0-9][.,][0-9]"))
        self._either += int(counts[by_point & by_comma & separated].sum())

    def verdict(self) -> Verdict:
        """Decide what the column is from all cells so far."""
        known = self._known + self._by_arrow
        if not known:
            return Verdict(pa.null())
        if why := self._digits.why_codes:
            return Verdict(pa.string(), needs_reading=True, note=why)
        style = self._styles[1] if self._only[1] > self._only[0] and not self._by_arrow else self._styles[0]
        unit = style.unit
        numbers = self._by_arrow + style.numbers
        if unit is None or not self._is_majority(numbers, known - numbers, style):
            return Verdict(pa.string(), style.decimal, needs_reading=True)
        notes = []
        if self._either and not any(self._only):
            notes.append("the comma is read as thousands")
        without = numbers - style.units.total()
        if unit and without > _MOST_ODD * numbers:
            notes.append(f"{without:,} of {numbers:,} numbers have no {unit} and are read as they are")
        return Verdict(
            pa.int64() if style.is_whole else pa.float64(),
            style.decimal,
            unit,
            not self._by_arrow_alone,
            "; ".join(notes),
        )

    @property
    def decimal(self) -> Decimal | None:
        """The decimal separator that more than a few cells have; None: they do not show one."""
        which = int(self._only[1] > self._only[0])
        few = _MOST_ODD * (self._known + self._by_arrow)
        return self._styles[which].decimal if self._only[which] > few else None

    def is_mostly_odd(self) -> bool:
        """Return whether half of the cells or more are not numbers: where earlier files have numbers, the file is broken."""
        numbers = self._by_arrow + max(style.numbers for style in self._styles)
        return 2 * numbers <= self._known + self._by_arrow

    def _is_majority(self, numbers: int, odd: int, style: _Style) -> bool:
        if odd <= _MOST_ODD * (numbers + odd):
            return numbers > odd
        are_missing = all(text.lower() in MISSING_WORDS for text in style.odd)
        is_diverse = len(style.different) > _DIFFERENT_NUMBERS
        return numbers > odd and style.has_odd_words and (is_diverse or are_missing)


def _extend(known: set[str], texts: pa.Array, most: int) -> None:
    """Add texts to a set until it has more than `most`."""
    if len(known) <= most:
        known.update(texts.slice(0, most + 1).to_pylist())
