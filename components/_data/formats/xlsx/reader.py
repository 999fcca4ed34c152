"""Find the table in a workbook, infer its columns' types, and read its rows.

A workbook is read whole, as its format requires: a sheet has at most 1,048,576 rows.
"""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, XmlError, ZipError

from components._core.errors import ConfigError, DataError
from components._core.suggestions import suggest
from components._core.types.json_lines import EXACT_IN_DOUBLE
from components._data.formats.bad_rows import BadRow
from components._data.formats.columns import check_columns
from components._data.formats.common_types import CommonTypes
from components._data.formats.compression import open_content
from components._data.formats.contract import TableSchema
from components._data.formats.file_notes import FileNotes, dump_fields, load_fields
from components._data.formats.rows import FileTally, Rows
from components._data.formats.typed_rows import TypedRows
from components._data.sources.contract import SpanFile

_READ_BYTES = 1 << 20
_LARGEST = 2 << 30
"""Maximum size of a workbook's parts, unpacked."""
_OLE = b"\xd0\xcf\x11\xe0"
_HEADER_ROWS = 50
_HEADER_SHARE = 0.6
_BATCH_ROWS = 8_192
_ERRORS = frozenset({"#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!"})
_MIDNIGHT = datetime.time()


@dataclass(frozen=True)
class SheetTable:
    """The table in a sheet.

    Attributes:
        names: The columns' names.
        places: Place of each column in the rows.
        rows: The rows of the sheet from its first used one on, with all cells.
        header: Place of the header in `rows`.
        first: Number of the first of the rows in the sheet, from 1.
    """

    names: list[str]
    places: list[int]
    rows: list[list[Any]]
    header: int
    first: int

    def columns(self, begin: int, end: int) -> list[list[Any]]:
        """Return the values of some rows by column; places count from the row below the header."""
        part = self.rows[self.header + 1 + begin : self.header + 1 + end]
        return [[_value(row[place]) for row in part] for place in self.places]


def open_table(file: SpanFile, sheet: str, tally: FileTally | None = None) -> SheetTable:
    """Find the table in a workbook.

    The header is the first row that fills most of the table's width; what is above it is a title. Empty columns and
    rows are not part of the table.

    Args:
        file: The workbook.
        sheet: Name of the sheet; empty: the first one with data.
        tally: Counts what is read.

    Raises:
        ConfigError: When there is no such sheet.
        DataError: When it is not a workbook, damaged, or has no table.
    """
    content = _read(file, (tally or FileTally()).watch)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            names = [sheet] if sheet else list(workbook.sheet_names)
            if sheet and sheet not in workbook.sheet_names:
                message = f"{file.name} has no sheet {sheet!r}; {suggest(sheet, workbook.sheet_names)}"
                raise ConfigError(message, where="data.xlsx.sheet", remedy="name a sheet of the workbook")
            for name in names:
                opened = workbook.get_sheet_by_name(name)
                table = _find_table(opened.to_python(skip_empty_area=True), (opened.start or (0, 0))[0] + 1)
                if table is not None:
                    return table
    except (CalamineError, PasswordError, XmlError, ZipError, zipfile.BadZipFile, OSError) as error:
        raise _damaged(file, error) from None
    remedy = "a table has a header and rows; name its sheet in data.xlsx.sheet" if not sheet else "name another sheet"
    raise DataError(
        "has no sheet with a table" if not sheet else f"has no table in sheet {sheet!r}", where=file.name, remedy=remedy
    )


def _read(file: SpanFile, watch: Callable[[bytes], None]) -> bytes:
    with open_content(file, watch) as stream:
        content = stream.read(_LARGEST)
    if content.startswith(_OLE):
        remedy = "save it as .xlsx without a password"
        raise DataError("is an old .xls, or protected by a password", where=file.name, remedy=remedy)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _damaged(file, error) from None
    if unpacked > _LARGEST:
        raise DataError(
            f"has {unpacked >> 20:,} MiB when unpacked (allowed {_LARGEST >> 20:,})",
            where=file.name,
            remedy="save the table as CSV or Parquet",
        )
    return content


def _damaged(file: SpanFile, error: Exception) -> DataError:
    message = str(error).partition("\n")[0]
    return DataError(f"cannot be read as a workbook: {message}", where=file.name, remedy="save it again as .xlsx")


def _find_table(rows: list[list[Any]], first: int) -> SheetTable | None:
    filled = [sum(_value(cell) is not None for cell in row) for row in rows]
    while filled and not filled[-1]:
        filled.pop()
    rows = rows[: len(filled)]
    width = max(filled[:_HEADER_ROWS], default=0)
    header = next((place for place, count in enumerate(filled) if count >= max(_HEADER_SHARE * width, 1)), None)
    if header is None:
        return None
    body = rows[header + 1 :]
    places = [
        place
        for place, name in enumerate(rows[header])
        if _value(name) is not None or any(_value(row[place]) is not None for row in body)
    ]
    names = [_name(rows[header][place]) for place in places]
    return SheetTable(names, places, rows, header, first)


def _value(cell: Any) -> Any:
    """Return a cell's value; None when it is empty, blank, or an error of a formula."""
    if isinstance(cell, str):
        text = cell.strip()
        return text if text and text not in _ERRORS else None
    return cell


def _name(cell: Any) -> str:
    value = _value(cell)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else " ".join(str(value).split())


def infer_schema(files: Sequence[SpanFile], label: str, sheet: str, notes: FileNotes | None = None) -> TableSchema:
    """Infer the columns and types of all files: a column's type is that of all its cells, else text.

    Raises:
        DataError: When a file cannot be read, or its columns differ from the first one's.
    """
    types, notes = CommonTypes(label), notes or FileNotes()
    for file in files:
        find = partial(_read_fields, file, sheet, label)
        types.add(file, notes.recall(file, "fields", [sheet, label], find, dump_fields, load_fields))
    return types.schema()


def _read_fields(file: SpanFile, sheet: str, label: str) -> list[pa.Field]:
    table = open_table(file, sheet)
    check_columns(file.name, table.names, [], label)
    columns = table.columns(0, len(table.rows))
    return [pa.field(name, _type_of(values)) for name, values in zip(table.names, columns, strict=True)]


def _type_of(values: list[Any]) -> pa.DataType:
    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if not known:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds <= {int, float}:
        is_whole = all(float(value).is_integer() and abs(value) <= EXACT_IN_DOUBLE for value in known)
        return pa.int64() if is_whole else pa.float64()
    if kinds <= {datetime.date, datetime.datetime}:
        return pa.timestamp("us") if any(_has_time(value) for value in known) else pa.date32()
    return pa.string()


def _has_time(value: datetime.date) -> bool:
    return isinstance(value, datetime.datetime) and value.time() != _MIDNIGHT


def read_rows(
    file: SpanFile,
    schema: TableSchema,
    label: str,
    reject: Callable[[BadRow], None],
    sheet: str = "",
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a workbook's rows in batches; see `Format.read_rows`. Empty rows are skipped and counted."""
    tally = tally or FileTally()
    table = open_table(file, sheet, tally)
    typed = TypedRows(file, schema, label, reject, cells, tally=tally)
    for begin in range(0, len(table.rows) - table.header - 1, _BATCH_ROWS):
        columns = table.columns(begin, begin + _BATCH_ROWS)
        known = np.array([any(value is not None for value in row) for row in zip(*columns, strict=True)], dtype=bool)
        tally.blank += int((~known).sum())
        numbers = np.flatnonzero(known) + table.first + table.header + 1 + begin
        arrays = [
            pa.array([_convert(value, schema.cell_types[name]) for value in values], schema.cell_types[name])
            for name, values in zip(table.names, columns, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=table.names).filter(pa.array(known))
        yield typed.convert(batch, lambda numbers=numbers: numbers.astype(np.int64))  # type: ignore[misc]


def _convert(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        return _as_text(value)
    if pa.types.is_timestamp(kind) and not isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value, _MIDNIGHT)
    if pa.types.is_date(kind) and isinstance(value, datetime.datetime):
        return value.date()
    return int(value) if pa.types.is_integer(kind) else value


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_DOUBLE:
        return str(int(value))
    return str(value)
