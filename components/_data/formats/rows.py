"""The rows that every format yields, in the types of examples; and a tally of what was read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.types.column_types import BYTES, to_text
from components._data.columns.cell_counts import CellCounts
from components._data.columns.date_orders import OrderCounts
from components._data.formats.bad_rows import BadRow
from components._data.sources.contract import SpanFile


@dataclass(frozen=True)
class Rows:
    """Some rows of a file.

    Attributes:
        examples: Columns of the types in `column_types.py`, missing cells null.
        cells: The raw cells of the requested columns: dictionary-encoded texts, or typed values.
        lines: Returns the line of each row in its file (int64 [rows]); called only when a row is set aside.
    """

    examples: pa.RecordBatch
    cells: pa.RecordBatch
    lines: Callable[[], NDArray[np.int64]]

    def filter(self, kept: NDArray[np.bool_]) -> Rows:
        """Keep some of the rows."""
        mask = pa.array(kept)
        return Rows(self.examples.filter(mask), self.cells.filter(mask), lambda: self.lines()[kept])


class FileTally:
    """A tally of what was read of one file.

    Attributes:
        bytes: Size of the file.
        sha256: Digest of the content so far.
        blank: Number of empty lines after the header, which are not rows.
        odd: Cells that did not fit their column's type and became missing.
        missing: Cells with a text that stands for a missing value, such as `NA`.
        fitting: Number of cells that fit a column that is read as numbers, dates or times, by column.
        orders: Dates by the orders of day and month in which they can be read.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        self.blank = 0
        self.odd = CellCounts()
        self.missing = CellCounts()
        self.fitting: Counter[str] = Counter()
        self.orders = OrderCounts()

    def watch(self, part: bytes) -> None:
        """Count the next bytes of the file."""
        self.bytes += len(part)
        self.sha256.update(part)

    def take(self, other: FileTally) -> None:
        """Take over the size and digest of a file that was read before."""
        self.bytes, self.sha256 = other.bytes, other.sha256


def as_examples(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Make rows examples: an empty text is missing; every other value stays what it is."""
    columns = [_as_example(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_example(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type) and pc.min(pc.binary_length(column)).as_py() == 0:
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return column


def set_unlabelled_aside(
    rows: Rows, file: SpanFile, label: str, reject: Callable[[BadRow], None], unit: Literal["line", "row"] = "line"
) -> Rows:
    """Keep the rows that have a label; reject the others. A table without a label, as a join's second one, keeps all."""
    if not label:
        return rows
    labels = rows.examples.column(rows.examples.schema.get_field_index(label))
    missing = np.asarray(labels.is_null())
    if pa.types.is_string(labels.type):  # blanks are no class
        missing = missing | np.asarray(pc.equal(pc.utf8_trim_whitespace(labels), "").fill_null(False))
    if not missing.any():
        return rows
    lines = rows.lines()
    for line, text in zip(lines[missing].tolist(), rows_as_text(rows.examples, missing), strict=True):
        reject(BadRow(file.name, line, f"the label {label!r} is missing", text, unit=unit))
    return rows.filter(~missing)


def row_as_text(batch: pa.RecordBatch, row: int) -> str:
    """Format a row for the quarantine when its original text is not available."""
    return ",".join(cell for column in batch.slice(row, 1).columns for cell in cells_as_text(column))


def rows_as_text(batch: pa.RecordBatch, chosen: NDArray[np.bool_]) -> list[str]:
    """Format the chosen rows as `row_as_text` does, all at once."""
    columns = [cells_as_text(column) for column in batch.filter(pa.array(chosen)).columns]
    return [",".join(row) for row in zip(*columns, strict=True)]


def cells_as_text(column: pa.Array) -> list[str]:
    """Format each value of a column as a text file would have it; empty where it is missing. Of bytes only their number is shown."""
    if BYTES.is_arrow(column.type):
        return ["" if size is None else f"({size:,} bytes)" for size in pc.binary_length(column).to_pylist()]
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    values = column if is_number else to_text(column)
    return ["" if value is None else str(value) for value in values.to_pylist()]
