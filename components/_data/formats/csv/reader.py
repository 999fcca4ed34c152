"""Read the rows of a CSV file: a clean file directly with Arrow, any other cell by cell.

A row that cannot be read is set aside with its line and the reason; the caller decides whether the run continues.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from components._data.columns.numbers import FLOAT32_MAX
from components._data.formats.bad_rows import NOT_FINITE, WRONG_TYPE, BadRow
from components._data.formats.column_readings import apply_readings
from components._data.formats.contract import TableSchema
from components._data.formats.csv.arrow_parser import lines_of, parse_block, unreadable
from components._data.formats.csv.blocks import Block
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.inference import read_header
from components._data.formats.csv.kept_blocks import KeptBlocks
from components._data.formats.rows import FileTally, Rows, as_examples, row_as_text, set_unlabelled_aside

_NAMES = {pa.int64(): "a whole number", pa.float64(): "a number"}
_ARROW_NULLS = pa.array(csv.ConvertOptions().null_values)
"""Texts that Arrow's reader treats as a missing number."""
_NULLS = ("", "#N/A", "#N/A N/A", "#NA", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")


def read_rows(
    file: CsvFile,
    schema: TableSchema,
    label: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
    kept: KeptBlocks | None = None,
) -> Iterator[Rows]:
    """Yield a file's rows in bounded batches.

    Args:
        file: The file to read.
        schema: Result of inference.
        label: The label's column; a row without it is set aside.
        reject: Called with every row that is set aside.
        cells: Columns whose raw cells are returned, too.
        tally: Counts what is read.
        kept: Blocks that inference kept.
    """
    kept = kept or KeptBlocks()
    tally = tally or FileTally()
    reader = _Reader(file, kept.names(file) or read_header(file), schema, reject, cells, tally)
    read = reader.read_clean if file.name in schema.clean else reader.read_cells
    try:
        for block in kept.read(file, reader.names, reader.tally):
            rows = apply_readings(read(block), schema, file, reject, tally)
            rows = Rows(as_examples(rows.examples), rows.cells, rows.lines)
            yield set_unlabelled_aside(rows, file, label, reject)
    except pa.ArrowInvalid as error:
        raise unreadable(file, error) from None


@dataclass(frozen=True)
class _Reader:
    """Reads one file, block by block; for the attributes see `read_rows`."""

    file: CsvFile
    names: list[str]
    schema: TableSchema
    reject: Callable[[BadRow], None]
    cells: Collection[str]
    tally: FileTally

    def read_clean(self, block: Block) -> Rows:
        """Read the columns in `cells` as texts and convert them here: a column cannot be read twice."""
        kinds, cells = self.schema.cell_types, self.cells
        types = {name: pa.string() if name in cells else kind for name, kind in kinds.items()}
        batch, lines = self._parse_block(block, types)
        raw = _encode(batch, cells)
        columns = [
            _convert(raw.column(raw.schema.get_field_index(name)), kind)
            if name in cells and kind != pa.string()
            else column
            for column, (name, kind) in zip(batch.columns, kinds.items(), strict=True)
        ]
        return Rows(pa.RecordBatch.from_arrays(columns, names=list(types)), raw, lines)

    def read_cells(self, block: Block) -> Rows:
        """Read every column as text, and check each cell against its column's type."""
        kinds = self.schema.cell_types
        batch, lines = self._parse_block(block, dict.fromkeys(kinds, pa.string()))
        columns, bad = [], np.zeros(batch.num_rows, dtype=bool)
        for text, (name, kind) in zip(batch.columns, kinds.items(), strict=True):
            most = math.inf if name in self.schema.unbounded else FLOAT32_MAX
            values, wrong = _parse_column(text, kind, most)
            found = np.flatnonzero(wrong & ~bad)
            places = lines() if len(found) else np.empty(0, np.int64)  # called once: it scans the whole batch
            for row in map(int, found):
                code, problem = _wrong(text[row].as_py(), kind)
                reason = f"column {name!r}: {problem}"
                self.reject(BadRow(self.file.name, int(places[row]), reason, row_as_text(batch, row), code=code))
            bad |= wrong
            columns.append(values)
        rows = Rows(pa.RecordBatch.from_arrays(columns, names=list(kinds)), _encode(batch, self.cells), lines)
        return rows.filter(~bad)

    def _parse_block(
        self, block: Block, types: dict[str, pa.DataType]
    ) -> tuple[pa.RecordBatch, Callable[[], NDArray[Any]]]:
        """Parse a block, and return its rows and a function for their lines; rows with other fields than the header are set aside."""
        batch, ragged = parse_block(block, self.file, self.names, types, list(types))
        self.tally.blank += 0 if block.is_full(batch.num_rows + len(ragged)) else block.blank
        for row in sorted([*block.bad, *ragged], key=lambda row: row.line):
            self.reject(row)
        return batch, lambda: lines_of(block, ragged)


def _encode(texts: pa.RecordBatch, cells: Collection[str]) -> pa.RecordBatch:
    """Dictionary-encode the raw cells, so that each distinct text is hashed and converted once."""
    if not cells:
        return pa.RecordBatch.from_arrays([pa.nulls(texts.num_rows)], names=[""])
    columns = [texts.column(texts.schema.get_field_index(name)).dictionary_encode() for name in cells]
    return pa.RecordBatch.from_arrays(columns, names=list(cells))


def _convert(cells: pa.DictionaryArray, kind: pa.DataType) -> pa.Array:
    """Convert raw cells to numbers as Arrow's reader does; by inference all are numbers."""
    texts = cells.dictionary
    missing = pc.is_in(texts, value_set=_ARROW_NULLS)
    known = pc.if_else(missing, pa.scalar(None, pa.string()), pc.utf8_trim(texts, characters=" \t"))
    return known.cast(kind).take(cells.indices)


def _parse_column(text: pa.Array, kind: pa.DataType, most: float) -> tuple[pa.Array, NDArray[Any]]:
    """Parse a column, and return its values and which rows are wrong (their value is then missing); beyond `most` a real number is."""
    if pa.types.is_string(kind):
        return text, np.zeros(len(text), dtype=bool)
    values = [_number(cell, kind, most) for cell in text.to_pylist()]
    wrong = np.array([value is _WRONG for value in values], dtype=bool)
    return pa.array([None if value is _WRONG else value for value in values], type=kind), wrong


_WRONG = object()


def _number(cell: str | None, kind: pa.DataType, most: float) -> Any:
    """Parse a cell as a number; None when it is missing, `_WRONG` when it is neither."""
    text = (cell or "").strip()
    if text in _NULLS:
        return None
    try:
        if kind == pa.int64():
            whole = int(text)
            return whole if -(2**63) <= whole < 2**63 else _WRONG
        real = float(text)
    except ValueError:
        return _WRONG
    return real if abs(real) <= most else _WRONG


def _wrong(found: str, kind: pa.DataType) -> tuple[str, str]:
    """Return the code of a wrong cell (`BadRow.code`), and what is wrong with it."""
    try:
        too_large = abs(float(found)) > (2**63 if kind == pa.int64() else FLOAT32_MAX)
    except ValueError:
        too_large = False
    if too_large:
        return NOT_FINITE, f"{found!r} is infinite or too large (|x| <= {FLOAT32_MAX:.3g} is allowed)"
    return WRONG_TYPE, f"{found!r} is not {_NAMES[kind]}"
