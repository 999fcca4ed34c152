"""Codes made of digits: their text must stay as it is, because a number would lose leading zeros or digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_INT64_DIGITS = 19
"""From so many digits on, a whole number may not fit an int64."""
_ENOUGH = 0.05
"""Share of digits with a leading zero, or too long for a number, from which a column holds codes."""
_ZERO = ord("0")


@dataclass
class Digits:
    """Counts of the cells of a column that are only digits.

    Attributes:
        cells: Number of such cells.
        leading_zeros: Those of them with a leading zero, `0` itself not counted.
        long: Those of them with more digits than an int64 holds.
        shortest: Fewest digits.
        longest: Most digits.
    """

    cells: int = 0
    leading_zeros: int = 0
    long: int = 0
    shortest: int = 1 << 30
    longest: int = 0

    def add(self, trimmed: pa.Array, counts: NDArray[np.int64]) -> None:
        """Add different texts, with the number of cells of each."""
        found = np.asarray(pc.match_substring_regex(trimmed, "^[0-9]+$").fill_null(False))
        if not found.any():
            return
        texts, cells = trimmed.filter(pa.array(found)), counts[found]
        digits = np.asarray(pc.utf8_length(texts))
        self.cells += int(cells.sum())
        self.leading_zeros += int(cells[np.asarray(pc.match_substring_regex(texts, "^0[0-9]"))].sum())
        self.long += int(cells[digits >= _INT64_DIGITS].sum())
        self.shortest, self.longest = min(self.shortest, int(digits.min())), max(self.longest, int(digits.max()))

    @property
    def why_codes(self) -> str:
        """Why the column holds codes and not numbers; empty when it does not."""
        if self.long and self.long >= _ENOUGH * self.cells:
            return f"whole numbers of up to {self.longest} digits, more than a number holds"
        is_fixed = self.shortest == self.longest > 1
        if self.leading_zeros and (is_fixed or self.leading_zeros >= _ENOUGH * self.cells):
            return "digits with leading zeros"
        return ""


def has_leading_zero(data: bytes, delimiter: str, quote: str) -> bool:
    """Return whether a cell of a CSV's rows may begin with a zero that another digit follows.

    Args:
        data: Whole rows.
        delimiter: Separator of cells.
        quote: The character that encloses cells; empty: none.
    """
    content = np.frombuffer(data, np.uint8)
    if len(content) < 2:
        return False
    starts = content[:-1] == ord("\n")
    for mark in filter(None, (delimiter, quote if quote.encode() in data else "")):
        starts |= content[:-1] == ord(mark)
    zeros = np.flatnonzero(starts & (content[1:] == _ZERO)) + 1  # few: most cells do not begin with a zero
    followed = content[zeros[zeros < len(content) - 1] + 1]
    first = content[0] == _ZERO and _ZERO <= content[1] < _ZERO + 10
    return bool(first or ((followed >= _ZERO) & (followed < _ZERO + 10)).any())


def merges_in_float32(values: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether different whole numbers of a column are one number in float32, the type of a model's numbers."""
    whole = np.asarray(values.drop_null().unique().to_numpy())
    return len(np.unique(whole.astype(np.float32))) < len(whole)
