"""CSV schema inference: read every file once to find the header, the types that hold for all files, and the clean files.

Arrow finds the numbers; a column in which it meets a text is surveyed (`columns/survey.py`) and may be a number all the
same. The first file decides between number and text; a later one may turn whole numbers into real ones, but not numbers
into text, because that is typical of a broken export: cells that do not fit become missing, and where most cells of a
file do not fit, its rows become unreadable, one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._core.project.data_config import Data
from components._data.columns.codes import has_leading_zero
from components._data.columns.numbers import FLOAT32_MAX, Decimal
from components._data.columns.reading import Reading
from components._data.columns.survey import ArrowNumbers, ColumnSurvey, Verdict
from components._data.formats.column_readings import with_readings
from components._data.formats.columns import check_columns
from components._data.formats.compression import fill
from components._data.formats.contract import TableSchema
from components._data.formats.csv.arrow_parser import parse_block, parse_names, unreadable
from components._data.formats.csv.blocks import Block
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.header import check_header, split_header
from components._data.formats.csv.kept_blocks import KeptBlocks
from components._data.formats.file_notes import FileNotes

_HEADER_BYTES = 1 << 15
_LONGEST_HEADER = 1 << 20
_KIND_BYTES = 1 << 10
_NUL_SHARE = 10
"""A file with a NUL in every tenth byte is not text; a row with a NUL is set aside."""
_PARQUET = b"PAR1"
_OTHER_KINDS = {
    _PARQUET: "a Parquet file",
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"SQLite format": "a database",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF",
}
"""First bytes of other kinds of files."""
_SEPARATORS = (";", "\t", "|")
_INT64_END, _LARGEST_CODE = 2.0**63, 1e38


def infer_schema(
    files: Sequence[CsvFile],
    label: str,
    kept: KeptBlocks | None = None,
    data: Data | None = None,
    file_notes: FileNotes | None = None,
) -> TableSchema:
    """Infer the types by reading every file once, in bounded memory, and find the files with cells that do not fit.

    Args:
        files: Files in the order of their spans.
        label: The label's column.
        kept: Receives the blocks of the files, as far as they fit.
        data: The project's `data` section: what it says of columns, and of cells that do not fit.
        file_notes: What is known of the files already.

    Raises:
        DataError: When a file is empty, not UTF-8, has duplicate or nameless columns, no label, or other columns than
            the first.
    """
    kept, data, file_notes = kept or KeptBlocks(), data or Data(source="table"), file_notes or FileNotes()
    types: dict[str, pa.DataType] = {}
    decimals: dict[str, tuple[Decimal, str]] = {}
    read: dict[str, Decimal] = {}
    notes: dict[str, str] = {}
    clean, unfit = set(), set()
    for file in files:
        written = [file.csv.model_dump(), file.has_row_names]
        names = file_notes.recall(file, "header", written, partial(read_header, file), _same, _same)
        check_separator(file, names, files[0])
        check_columns(file.name, names, list(types), label)
        known = {name: str(kind) for name, kind in types.items()}
        columns = {name: column.model_dump() for name, column in data.columns.items()}
        given = [*written, file.is_undecided, names, known, columns]
        find = partial(_infer_file, file, names, types, kept, data)
        found = file_notes.recall(file, "types", given, find, _FileTypes.to_json, _FileTypes.from_json)
        types = {name: found.types[name] for name in (types or names)}
        for name, verdict in found.verdicts.items():
            if found.types[name] != pa.string() and name not in found.unfit and verdict.needs_reading:
                read.setdefault(name, verdict.decimal)
            notes.setdefault(name, verdict.describe())
        _add_decimals(decimals, found, file, set(data.columns))
        unfit |= {(file.name, name) for name in found.unfit}
        if found.is_clean:
            clean.add(file.name)
    types = {name: pa.string() if pa.types.is_null(kind) else kind for name, kind in types.items()}
    readings = {
        name: Reading("number", decimals[name][0] if name in decimals else decimal, odd_cells=data.odd_cells)
        for name, decimal in read.items()
        if types[name] != pa.string()
    }
    raw = dict.fromkeys([*readings, *_read_with_comma(data, types)], pa.string())
    schema = TableSchema(types, frozenset(clean), readings=readings, raw_types=raw, unfit=frozenset(unfit), notes=notes)
    return with_readings(schema, data, label)


def _read_with_comma(data: Data, types: dict[str, pa.DataType]) -> list[str]:
    """Return the columns whose points separate thousands by their entry in the project, where Arrow would read `1.234` as a fraction."""
    commas = [name for name, column in data.columns.items() if column.type == "number" and column.decimal == ","]
    return [name for name in commas if name in types and pa.types.is_floating(types[name])]


def _add_decimals(
    known: dict[str, tuple[Decimal, str]], found: _FileTypes, file: CsvFile, named: Collection[str]
) -> None:
    """Add the decimal separators of a file, which must be those of earlier files: `1.234` has another value by each.

    Raises:
        DataError: When a column's separator is another one.
    """
    for name, decimal in found.decimals.items():
        if name in named or found.types[name] == pa.string() or name in found.unfit:
            continue
        first, where = known.setdefault(name, (decimal, file.name))
        if first != decimal:
            words = {".": "point", ",": "comma"}
            message = f"column {name!r} has a decimal {words[decimal]}, and a decimal {words[first]} in {where}"
            raise DataError(
                message,
                where=file.name,
                remedy=f'write the numbers of all files with the same one, or say which it is: data.columns: {{{name}: {{type: number, decimal: ","}}}}',
            )


def _same(names: list[str]) -> list[str]:
    return names


def read_header(file: CsvFile) -> list[str]:
    """Read the column names of a file.

    Raises:
        DataError: When it has no header or is not UTF-8.
    """
    with file.open_text() as stream:
        first = fill(stream, _HEADER_BYTES)
        is_whole = len(first) < _HEADER_BYTES
        if not is_whole and not _has_header(file, first):
            more = fill(stream, _LONGEST_HEADER - _HEADER_BYTES)
            first, is_whole = first + more, len(first + more) < _LONGEST_HEADER
    if not first.strip():
        raise DataError(
            "is empty", where=file.name, remedy="a CSV needs a header and rows: remove the file or write it again"
        )
    _check_kind(file, first)
    header = split_header(file, first, is_whole)
    names = parse_names(header, file)
    check_header(file, header, len(names))
    return file.name_columns(names)


def _has_header(file: CsvFile, first: bytes) -> bool:
    """Return whether the header is complete in the first bytes of a file."""
    try:
        return bool(split_header(file, first, is_whole=False).strip())
    except DataError:
        return False


def _check_kind(file: CsvFile, first: bytes) -> None:
    """Refuse a file that is not text by its first bytes: a CSV reader's error would be misleading."""
    if kind := next((kind for magic, kind in _OTHER_KINDS.items() if first.startswith(magic)), None):
        remedy = "export it as text"
        if first.startswith(_PARQUET):
            remedy = "set data.format to parquet, or leave it out"
        raise DataError(f"is {kind}, not CSV", where=file.name, remedy=remedy)
    head = first[:_KIND_BYTES]
    if head.count(b"\0") > len(head) // _NUL_SHARE:
        remedy = "export it as text; if it is text, name its encoding in data.csv.encoding (naru new --encoding)"
        raise DataError("is not text", where=file.name, remedy=remedy)


def check_separator(file: CsvFile, names: list[str], first: CsvFile | None = None) -> None:
    """Refuse a header with a single column whose name contains another separator.

    Raises:
        DataError: With the separator, and how to write the file again.
    """
    marks = [mark for mark in (",", *_SEPARATORS) if mark in names[0] and mark != file.csv.delimiter]
    if len(names) == 1 and marks:
        mark, where = marks[0], file.name
        remedy = f"name the separator in data.csv.separator (naru new --sep {mark!r})"
        if first is not None and first.name != file.name:
            remedy = f"write it with {file.csv.delimiter!r} between cells, as {first.name}"
        raise DataError(f"columns seem to be separated by {mark!r}, and few rows fit it", where=where, remedy=remedy)


@dataclass(frozen=True)
class _FileTypes:
    """What inference found in one file.

    Attributes:
        types: The types that hold for this file and the earlier ones.
        verdicts: What the columns are that have cells which Arrow does not read as numbers.
        unfit: Columns most of whose cells do not fit the type of earlier files.
        is_clean: Whether all rows can be read directly.
        decimals: The decimal separators of columns whose numbers show one.
    """

    types: dict[str, pa.DataType]
    verdicts: dict[str, Verdict]
    unfit: set[str]
    is_clean: bool
    decimals: dict[str, Decimal] = field(default_factory=dict)

    def to_json(self) -> list[Any]:
        types = {name: str(kind) for name, kind in self.types.items()}
        verdicts = {
            name: [str(found.type), found.decimal, found.unit, found.needs_reading, found.note]
            for name, found in self.verdicts.items()
        }
        return [types, verdicts, sorted(self.unfit), self.is_clean, self.decimals]

    @classmethod
    def from_json(cls, raw: list[Any]) -> _FileTypes:
        types = {name: pa.type_for_alias(kind) for name, kind in raw[0].items()}
        verdicts = {name: Verdict(pa.type_for_alias(kind), *rest) for name, (kind, *rest) in raw[1].items()}
        return cls(types, verdicts, set(raw[2]), raw[3], raw[4])


def _infer_file(
    file: CsvFile, names: list[str], known: dict[str, pa.DataType], kept: KeptBlocks, data: Data
) -> _FileTypes:
    inference = _Inference(file, names, known, data)
    while True:
        try:
            for block in kept.read_and_keep(file, names):
                if block.data:
                    inference.add(block)
            return inference.result()
        except _ReadAgainError:
            inference.begin_again()


class _ReadAgainError(Exception):
    """Raised when blocks must be read again because a column's wider type may not fit their cells."""


class _Inference:
    """The types of one file's columns, which widen block by block: whole number, real number, text.

    A block with a cell that does not fit is parsed again in wider types; blocks before it fit those, too, but for three
    cases: Arrow reads `0x1F` as a whole number and not as a real one; and codes with leading zeros, or with more digits
    than an int64 holds, as numbers. Only then is the file read again.
    """

    def __init__(self, file: CsvFile, names: list[str], known: dict[str, pa.DataType], data: Data) -> None:
        self._file, self._names, self._known = file, names, known
        self._fixed = {name: kind for name, kind in known.items() if not pa.types.is_null(kind)}
        self._named = data.columns
        kept_text = {name for name, column in data.columns.items() if column.type != "number"}
        self._fixed.update(dict.fromkeys(kept_text & set(names), pa.string()))
        # no survey is needed where the column is text in any case
        self._settled = {name for name, kind in self._fixed.items() if _is_text(kind)}
        commas = {name for name, column in data.columns.items() if column.decimal == ","} & set(names)
        self._fixed.update(dict.fromkeys(commas, pa.string()))
        self.begin_again()

    def begin_again(self) -> None:
        """Reset the blocks, but keep the widened types."""
        self._guessed: dict[str, pa.DataType] = {}
        self._surveys: dict[str, ColumnSurvey] = {}
        self._numbers: dict[str, ArrowNumbers] = {}
        self._too_large: set[str] = set()
        self._has_hex = False
        self._is_ragged = False

    def result(self) -> _FileTypes:
        """Return what was found; a type is null where there was no value."""
        guessed = {name: _kind(kind) for name, kind in self._guessed.items()}
        types = {name: {**guessed, **self._fixed}.get(name, pa.null()) for name in self._names}
        verdicts = {name: survey.verdict() for name, survey in self._surveys.items()}
        unfit = set()
        for name, verdict in verdicts.items():
            types[name] = self._decide(name, verdict)
            if types[name] != pa.string() and self._surveys[name].is_mostly_odd():
                unfit.add(name)
        too_large = any(pa.types.is_floating(types[name]) for name in self._too_large)
        decimals: dict[str, Decimal] = {name: "." for name, numbers in self._numbers.items() if numbers.has_fraction}
        for name, survey in self._surveys.items():
            if decimal := survey.decimal:
                decimals.setdefault(name, decimal)
        return _FileTypes(types, verdicts, unfit, not (self._is_ragged or too_large or unfit), decimals)

    def _decide(self, name: str, verdict: Verdict) -> pa.DataType:
        """Decide the type of a surveyed column: by its cells, unless earlier files or the project say that it is a number."""
        known = self._known.get(name, pa.null())
        is_number = name in self._named or not pa.types.is_null(known)
        if not is_number:
            return verdict.type
        if name not in self._named and verdict.is_code:
            return pa.string()
        both = {known, verdict.type if verdict.is_number else pa.null()} - {pa.null()}
        return both.pop() if len(both) == 1 else pa.float64()

    def add(self, block: Block) -> None:
        """Add one block.

        Raises:
            DataError: When Arrow cannot parse it as text.
            _ReadAgainError: When earlier blocks must be parsed with other types.
        """
        while True:
            try:
                batch, ragged = parse_block(block, self._file, self._names, self._in_force)
                break
            except pa.ArrowInvalid as error:
                misfits = self._find_mismatches(block)
                if not misfits:
                    raise unreadable(self._file, error) from None
                for name in misfits:
                    self._widen(name)
        if batch.num_rows:
            self._guessed = dict(zip(batch.schema.names, batch.schema.types, strict=True))
        self._has_hex = self._has_hex or b"0x" in block.data or b"0X" in block.data
        self._is_ragged = self._is_ragged or bool(ragged)
        self._look_for_codes(block, batch)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            self._look_at(name, column)

    def _look_at(self, name: str, column: pa.Array) -> None:
        """Survey the cells of a column of texts; count those of any other."""
        if pa.types.is_string(column.type):
            if name not in self._settled:
                self._surveys.setdefault(name, ColumnSurvey()).add(column)
            return
        self._numbers.setdefault(name, ArrowNumbers()).add(column)
        if not is_in_range(column):
            self._too_large.add(name)

    def _look_for_codes(self, block: Block, batch: pa.RecordBatch) -> None:
        """Have the file read again where numbers seem to be codes, whose text must be seen."""
        suspects = []
        whole = [name for name in self._names if self._guessed.get(name) == pa.int64() and name not in self._named]
        if whole and has_leading_zero(block.data, self._file.csv.delimiter, self._file.csv.quote):
            texts, _ = parse_block(block, self._file, self._names, dict.fromkeys(whole, pa.string()), whole)
            suspects += [name for name, cells in zip(whole, texts.columns, strict=True) if _any_leading_zero(cells)]
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_floating(column.type) and name not in self._named and has_long_numbers(column):
                suspects.append(name)
        if suspects:
            self._fixed.update(dict.fromkeys(suspects, pa.string()))
            raise _ReadAgainError

    @property
    def _in_force(self) -> dict[str, pa.DataType]:
        return {**self._guessed, **self._fixed}

    def _find_mismatches(self, block: Block) -> list[str]:
        """Find the columns with a cell that does not fit, by bisection, since Arrow's error names at most one."""
        narrow = [name for name, kind in self._in_force.items() if not _is_text(kind)]
        waiting, found = [narrow] if narrow else [], []
        while waiting:
            some = waiting.pop()
            try:
                parse_block(block, self._file, self._names, self._in_force, some)
            except pa.ArrowInvalid:
                half = len(some) // 2
                found += some if not half else []
                waiting += [some[half:], some[:half]] if half else []
        return found

    def _widen(self, name: str) -> None:
        kind = self._in_force[name]
        if kind in (pa.int64(), pa.null()):
            self._fixed[name] = pa.float64()
            if kind == pa.int64() and self._has_hex:
                raise _ReadAgainError
            return
        self._fixed[name] = pa.string()
        if kind != pa.float64():  # Arrow guessed a time or a truth value
            self._settled.add(name)
            return
        self._surveys[name] = ColumnSurvey(self._numbers.get(name))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _any_leading_zero(cells: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, "^0[0-9]+$")).as_py())


def has_long_numbers(column: pa.Array) -> bool:
    """Return whether real numbers are so large that they may be codes of more digits than an int64 holds."""
    if len(column) == column.null_count:
        return False
    largest = pc.max(column).as_py()
    return bool(_INT64_END <= largest < _LARGEST_CODE)


def is_in_range(column: pa.Array) -> bool:
    """Return whether every number of a column is finite and fits a float32; true for other types."""
    if not pa.types.is_floating(column.type) or len(column) == column.null_count:
        return True
    return bool(pc.max(pc.abs(column)).as_py() <= FLOAT32_MAX)


def _kind(kind: pa.DataType) -> pa.DataType:
    """Map a type that Arrow inferred: dates, times and truth values stay text."""
    return kind if kind in (pa.int64(), pa.float64(), pa.null()) else pa.string()
