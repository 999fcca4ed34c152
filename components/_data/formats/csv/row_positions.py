"""The positions of the rows in a buffer of CSV, by Arrow's grammar, found with numpy.

A quote opens a cell only at the cell's start, a doubled quote inside is one quote, any other quote closes, and what follows up to
the delimiter belongs to the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.project.table_config import Csv

_MOST_BLANKS = 64
"""Maximum number of blanks between a closing quote and the end of the cell."""
_LF, _CR = 10, 13


@dataclass(frozen=True)
class RowPositions:
    """The positions of the rows in a buffer.

    Attributes:
        starts: Offset of each row.
        ends: Offset behind each row's line end.
        breaks: Offset behind each physical line end, those inside of cells included.
        garbage: Offsets at which text follows a closing quote.
        is_blank: Rows without a byte before their line end.
        is_open: Whether a quote is open at the end.
    """

    starts: NDArray[Any]
    ends: NDArray[Any]
    breaks: NDArray[Any]
    garbage: NDArray[Any]
    is_blank: NDArray[Any]
    is_open: bool


def split_lines(codes: NDArray[Any]) -> RowPositions:
    """Find the rows of a buffer in which every LF ends a row."""
    return _make_rows(codes, np.flatnonzero(codes == _LF) + 1, np.empty(0, np.int64), np.empty(0, bool), False, True)


def find_rows(codes: NDArray[Any], csv: Csv, is_last: bool) -> RowPositions:
    """Find the rows of a buffer.

    Args:
        codes: The bytes, which begin with a row.
        csv: CSV options.
        is_last: Whether they end with the file.
    """
    literal = _escaped(codes, csv.escape)
    breaks = _line_ends(codes, is_last)
    ends_cell = _ends_cell(codes, csv, literal)
    at, states, garbage = _quote_states(codes, csv, literal, ends_cell)
    inside = np.append(False, states)[np.searchsorted(at, breaks - 1)]
    if literal is not None:
        inside |= literal[breaks - 1]
    return _make_rows(codes, breaks, garbage, inside, bool(len(states) and states[-1]), is_last)


def _make_rows(
    codes: NDArray[Any], breaks: NDArray[Any], garbage: NDArray[Any], inside: NDArray[Any], is_open: bool, is_last: bool
) -> RowPositions:
    ends = breaks[~inside] if len(inside) else breaks
    if is_last and len(codes) and (not len(ends) or ends[-1] < len(codes)):
        ends = np.append(ends, len(codes))
    starts = np.append(0, ends[:-1]) if len(ends) else ends
    sizes = ends - starts
    first = codes[starts] if len(starts) else starts
    is_blank = ((sizes == 1) | ((sizes == 2) & (first == _CR))) & ((first == _LF) | (first == _CR))
    garbage = garbage[garbage < (ends[-1] if len(ends) else 0)]
    return RowPositions(starts, ends, breaks, garbage, is_blank, is_open and is_last)


def _line_ends(codes: NDArray[Any], is_last: bool) -> NDArray[Any]:
    """Return the offsets after LF, CR LF and a single CR; a CR at the buffer's end is left to the next buffer."""
    breaks = np.flatnonzero(codes == _LF) + 1
    returns = np.flatnonzero(codes == _CR)
    if not len(returns):
        return breaks
    alone = returns[np.append(codes, _LF if not is_last else 0)[returns + 1] != _LF] + 1
    return np.union1d(breaks, alone) if len(alone) else breaks


def _escaped(codes: NDArray[Any], escape: str) -> NDArray[Any] | None:
    """Return which bytes are escaped; None when none is."""
    marks = np.flatnonzero(codes == ord(escape)) if escape else np.empty(0, np.int64)
    if not len(marks):
        return None
    is_first = np.append(True, np.diff(marks) > 1)
    place = np.arange(len(marks))
    place -= np.maximum.accumulate(np.where(is_first, place, 0))
    literal = np.zeros(len(codes) + 1, dtype=bool)
    literal[marks[place % 2 == 0] + 1] = True  # of several in a row, every second one is itself escaped
    return literal[:-1]


def _ends_cell(codes: NDArray[Any], csv: Csv, literal: NDArray[Any] | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that says whether the bytes at some offsets end a cell; offsets outside the buffer do."""

    def ends(offsets: NDArray[Any]) -> NDArray[Any]:
        is_there = (offsets >= 0) & (offsets < len(codes))
        there = np.where(is_there, offsets, 0)
        found = np.isin(codes[there], (ord(csv.delimiter), _LF, _CR))
        if literal is not None:
            found &= ~literal[there]
        return found | ~is_there

    return ends


def _quote_states(
    codes: NDArray[Any],
    csv: Csv,
    literal: NDArray[Any] | None,
    ends_cell: Callable[[NDArray[Any]], NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Find where the quote state may change, whether a cell is open after each such offset, and where text follows a closed cell.

    Adjacent quotes are one run. Inside of a cell, pairs of a run are doubled quotes and an odd one closes. Outside, the
    first of a run opens a cell if it stands at the cell's start, and the rest are as inside; elsewhere quotes are text.
    So a run of even length changes nothing; an odd one at a cell's start turns the state over, and elsewhere closes it.
    """
    marks = np.flatnonzero(codes == ord(csv.quote)) if csv.quote else np.empty(0, np.int64)
    if literal is not None:
        marks = marks[~literal[marks]]
    if not len(marks):
        return marks, np.empty(0, bool), marks
    firsts = np.flatnonzero(np.append(True, np.diff(marks) > 1))
    starts, lengths = marks[firsts], np.diff(np.append(firsts, len(marks)))
    at_start, is_odd = ends_cell(starts - 1), lengths % 2 == 1
    after = _scan(at_start, is_odd)
    before = np.append(False, after[:-1])
    closes = np.where(before, is_odd, at_start & ~is_odd)
    text = np.flatnonzero(closes & ~ends_cell(starts + lengths))
    behind = (starts + lengths)[text]
    for _ in range(_MOST_BLANKS):  # exports with padded columns have blanks after the quotes
        is_blank = (behind < len(codes)) & np.isin(codes[np.minimum(behind, len(codes) - 1)], (ord(" "), ord("\t")))
        if not is_blank.any():
            break
        behind = behind + is_blank
    return starts, after, starts[text[~ends_cell(behind)]]


def _scan(at_start: NDArray[Any], is_odd: NDArray[Any]) -> NDArray[Any]:
    """Return the state after each run: how often it toggled since it was last certainly closed."""
    place = np.arange(len(is_odd))
    reset = np.maximum.accumulate(np.where(is_odd & ~at_start, place, -1))
    turns = np.append(0, np.cumsum(is_odd & at_start))
    return np.asarray((turns[place + 1] - turns[reset + 1]) % 2 == 1)
