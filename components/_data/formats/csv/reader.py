"""Read the rows of a file as the survey found it: a clean one straight through, any other cell by cell.

A row that cannot be read is set aside with its line and the reason; whether the run may go on is decided by the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from components._data.formats.bad_rows import BadRow
from components._data.formats.csv.arrow_parser import lines_of, parse_block, unreadable
from components._data.formats.csv.blocks import Block, read_blocks
from components._data.formats.csv.inference import FLOAT32_MAX, Survey, read_header
from components._data.sources.files import SpanFile

_NAMES = {pa.int64(): "a whole number", pa.float64(): "a number"}
_ARROW_NULLS = pa.array(csv.ConvertOptions().null_values)
"""What Arrow's reader takes for a missing number."""
_NULLS = ("", "#N/A", "#N/A N/A", "#NA", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")


@dataclass(frozen=True)
class Rows:
    """Some rows of a file.

    Attributes:
        examples: Their columns as int64, float32 or string, missing cells null.
        cells: The raw cells of the columns asked for, as texts, encoded by a dictionary.
        lines: Gives the physical line of each row, which is looked up only for a row that is set aside.
    """

    examples: pa.RecordBatch
    cells: pa.RecordBatch
    lines: Callable[[], NDArray[Any]]

    def filter(self, kept: NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        mask = pa.array(kept)
        return Rows(self.examples.filter(mask), self.cells.filter(mask), lambda: self.lines()[kept])


class FileTally:
    """What was read of one file.

    Attributes:
        bytes: Its size.
        sha256: Digest of its content so far.
        blank: Its empty lines behind the header, which are no rows.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        self.blank = 0

    def watch(self, part: bytes) -> None:
        """Take the next bytes of the file."""
        self.bytes += len(part)
        self.sha256.update(part)


def read_rows(
    file: SpanFile,
    survey: Survey,
    label: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a file's rows in bounded batches.

    Args:
        file: Which file.
        survey: What the survey found.
        label: The label's column; a row without it is set aside.
        reject: Called with every row that is set aside.
        cells: Columns whose raw cells are wanted, too.
        tally: Counts what is read.
    """
    reader = _Reader(file, read_header(file), survey, reject, cells, tally or FileTally())
    read = reader.read_clean if file.name in survey.clean else reader.read_cells
    try:
        for block in read_blocks(file, len(reader.names), reader.tally.watch):
            rows = read(block)
            rows = Rows(_as_examples(rows.examples), rows.cells, rows.lines)
            yield _without_missing_label(rows, file, label, reject)
    except pa.ArrowInvalid as error:
        raise unreadable(file, error) from None


@dataclass(frozen=True)
class _Reader:
    """Reads one file, block by block; `read_rows` says what each attribute is."""

    file: SpanFile
    names: list[str]
    survey: Survey
    reject: Callable[[BadRow], None]
    cells: Collection[str]
    tally: FileTally

    def read_clean(self, block: Block) -> Rows:
        """Read the columns whose cells are wanted as texts, and convert those here: a column cannot be read twice."""
        kinds, cells = self.survey.types, self.cells
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
        """Read every column as text, and look at each cell: some do not fit their column's type."""
        kinds = self.survey.types
        batch, lines = self._parse_block(block, dict.fromkeys(kinds, pa.string()))
        columns, bad = [], np.zeros(batch.num_rows, dtype=bool)
        for text, (name, kind) in zip(batch.columns, kinds.items(), strict=True):
            values, wrong = _parse_column(text, kind)
            found = np.flatnonzero(wrong & ~bad)
            places = lines() if len(found) else np.empty(0, np.int64)  # once: it looks at the whole batch
            for row in map(int, found):
                reason = f"column {name!r}: {_wrong(text[row].as_py(), kind)}"
                self.reject(BadRow(self.file.name, int(places[row]), reason, _as_text(batch, row)))
            bad |= wrong
            columns.append(values)
        rows = Rows(pa.RecordBatch.from_arrays(columns, names=list(kinds)), _encode(batch, self.cells), lines)
        return rows.filter(~bad)

    def _parse_block(
        self, block: Block, types: dict[str, pa.DataType]
    ) -> tuple[pa.RecordBatch, Callable[[], NDArray[Any]]]:
        """The rows of a block and what gives their lines; those without the header's fields are set aside."""
        batch, ragged = parse_block(block, self.file, self.names, types, list(types))
        self.tally.blank += 0 if block.is_full(batch.num_rows + len(ragged)) else block.blank
        for row in sorted([*block.bad, *ragged], key=lambda row: row.line):
            self.reject(row)
        return batch, lambda: lines_of(block, ragged)


def _encode(texts: pa.RecordBatch, cells: Collection[str]) -> pa.RecordBatch:
    """The raw cells, each different text once: they are hashed and converted once."""
    if not cells:
        return pa.RecordBatch.from_arrays([pa.nulls(texts.num_rows)], names=[""])
    columns = [texts.column(texts.schema.get_field_index(name)).dictionary_encode() for name in cells]
    return pa.RecordBatch.from_arrays(columns, names=list(cells))


def _convert(cells: pa.DictionaryArray, kind: pa.DataType) -> pa.Array:
    """Raw cells as numbers, as Arrow's reader converts them; the survey found that they all are."""
    texts = cells.dictionary
    missing = pc.is_in(texts, value_set=_ARROW_NULLS)
    known = pc.if_else(missing, pa.scalar(None, pa.string()), pc.utf8_trim(texts, characters=" \t"))
    return known.cast(kind).take(cells.indices)


def _parse_column(text: pa.Array, kind: pa.DataType) -> tuple[pa.Array, NDArray[Any]]:
    """A column's values and which rows of it are wrong (their value is then missing)."""
    if pa.types.is_string(kind):
        return text, np.zeros(len(text), dtype=bool)
    values = [_number(cell, kind) for cell in text.to_pylist()]
    wrong = np.array([value is _WRONG for value in values], dtype=bool)
    return pa.array([None if value is _WRONG else value for value in values], type=kind), wrong


_WRONG = object()


def _number(cell: str | None, kind: pa.DataType) -> Any:
    """A cell as a number, None when it is missing, `_WRONG` when it is neither."""
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
    return real if abs(real) <= FLOAT32_MAX else _WRONG


def _wrong(found: str, kind: pa.DataType) -> str:
    try:
        too_large = abs(float(found)) > (2**63 if kind == pa.int64() else FLOAT32_MAX)
    except ValueError:
        too_large = False
    if too_large:
        return f"{found!r} is infinite or too large (|x| <= {FLOAT32_MAX:.3g} is allowed)"
    return f"{found!r} is not {_NAMES[kind]}"


def _as_examples(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Columns as examples have them: real numbers as float32, an empty text as missing."""
    columns = [_as_example(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_example(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):
        return column.cast(pa.float32(), safe=False)
    if pa.types.is_string(column.type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return column


def _without_missing_label(rows: Rows, file: SpanFile, label: str, reject: Callable[[BadRow], None]) -> Rows:
    labels = rows.examples.column(rows.examples.schema.get_field_index(label))
    if not labels.null_count:
        return rows
    missing = np.asarray(labels.is_null())
    lines = rows.lines()
    for row in map(int, np.flatnonzero(missing)):
        text = _as_text(rows.examples, row)
        reject(BadRow(file.name, int(lines[row]), f"the label {label!r} is missing", text))
    return rows.filter(~missing)


def _as_text(batch: pa.RecordBatch, row: int) -> str:
    """A row as the quarantine shows it, where its own text is no longer at hand."""
    values = batch.slice(row, 1).to_pylist()[0].values()
    return ",".join("" if value is None else str(value) for value in values)
