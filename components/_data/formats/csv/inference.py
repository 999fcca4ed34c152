"""CSV schema inference: read every file once to find the header, the types that hold for all files, and the clean files.

The first file decides between number and text; a later one may turn whole numbers into real ones, but not numbers into
text, because that is typical of a broken export: its rows then become unreadable, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._data.formats.columns import check_columns, name_columns
from components._data.formats.compression import fill
from components._data.formats.contract import TableSchema
from components._data.formats.csv.arrow_parser import parse_block, parse_names, unreadable
from components._data.formats.csv.blocks import Block, check_header, split_header
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.kept_blocks import KeptBlocks
from components._data.formats.rows import FLOAT32_MAX

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


def infer_schema(files: Sequence[CsvFile], label: str, kept: KeptBlocks | None = None) -> TableSchema:
    """Infer the types by reading every file once, in bounded memory, and find the files with cells that do not fit.

    Args:
        files: Files in the order of their spans.
        label: The label's column.
        kept: Receives the blocks of the files, as far as they fit.

    Raises:
        DataError: When a file is empty, not UTF-8, has duplicate or nameless columns, no label, or other columns than
            the first.
    """
    kept = kept or KeptBlocks()
    types: dict[str, pa.DataType] = {}
    clean = set()
    for file in files:
        names = read_header(file)
        check_separator(file, names)
        check_columns(file.name, names, list(types), label)
        found, is_clean = _infer_file(file, names, types, kept)
        types = {name: found[name] for name in (types or names)}
        if is_clean:
            clean.add(file.name)
    return TableSchema(
        {name: pa.string() if pa.types.is_null(kind) else kind for name, kind in types.items()}, frozenset(clean)
    )


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
    return name_columns(names)


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


def check_separator(file: CsvFile, names: list[str]) -> None:
    """Refuse a header with a single column whose name contains another separator.

    Raises:
        DataError: With the separator, and how to write the file again.
    """
    marks = [mark for mark in (",", *_SEPARATORS) if mark in names[0] and mark != file.csv.delimiter]
    if len(names) == 1 and marks:
        mark, where = marks[0], file.name
        remedy = f"name the separator in data.csv.separator (naru new --sep {mark!r})"
        raise DataError(f"columns seem to be separated by {mark!r}, and few rows fit it", where=where, remedy=remedy)


def _infer_file(
    file: CsvFile, names: list[str], known: dict[str, pa.DataType], kept: KeptBlocks
) -> tuple[dict[str, pa.DataType], bool]:
    """Return the types that hold for this file and the earlier ones, and whether all of its rows fit them."""
    inference = _Inference(file, names, known)
    while True:
        try:
            for block in kept.read_and_keep(file, names):
                if block.data:
                    inference.add(block)
            return inference.types, inference.is_clean
        except _ReadAgainError:
            inference.begin_again()


class _ReadAgainError(Exception):
    """Raised when blocks must be read again because a column's wider type may not fit their cells."""


class _Inference:
    """The types of one file's columns, which widen block by block: whole number, real number, text.

    A block with a cell that does not fit is parsed again in wider types; blocks before it fit those, too, but for one
    case: Arrow reads `0x1F` as a whole number and not as a real one. Only then is the file read again.
    """

    def __init__(self, file: CsvFile, names: list[str], known: dict[str, pa.DataType]) -> None:
        self._file, self._names, self._known = file, names, known
        self._fixed = {name: kind for name, kind in known.items() if not pa.types.is_null(kind)}
        self._broken: set[str] = set()
        self.begin_again()

    def begin_again(self) -> None:
        """Reset the blocks, but keep the widened types."""
        self._guessed: dict[str, pa.DataType] = {}
        self._too_large: set[str] = set()
        self._has_hex = False
        self._is_ragged = False

    @property
    def types(self) -> dict[str, pa.DataType]:
        """The types so far; null where there was no value. A column with cells that do not fit keeps the type of earlier files."""
        guessed = {name: _kind(kind) for name, kind in self._guessed.items()}
        broken = {name: self._known[name] for name in self._broken}
        found = {**guessed, **self._fixed, **broken}
        return {name: found.get(name, pa.null()) for name in self._names}

    @property
    def is_clean(self) -> bool:
        """Whether every cell so far fits its column's type."""
        too_large = any(pa.types.is_floating(self.types[name]) for name in self._too_large)
        return not (self._is_ragged or self._broken or too_large)

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
        self._too_large |= {
            name for name, column in zip(self._names, batch.columns, strict=True) if not is_in_range(column)
        }

    @property
    def _in_force(self) -> dict[str, pa.DataType]:
        return {**self._guessed, **self._fixed, **dict.fromkeys(self._broken, pa.string())}

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
        elif self._known.get(name, pa.null()) == pa.null():
            self._fixed[name] = pa.string()
        else:
            self._broken.add(name)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def is_in_range(column: pa.Array) -> bool:
    """Return whether every number of a column is finite and fits a float32; true for other types."""
    if not pa.types.is_floating(column.type) or len(column) == column.null_count:
        return True
    return bool(pc.max(pc.abs(column)).as_py() <= FLOAT32_MAX)


def _kind(kind: pa.DataType) -> pa.DataType:
    """Map a type that Arrow inferred: dates, times and truth values stay text."""
    return kind if kind in (pa.int64(), pa.float64(), pa.null()) else pa.string()
