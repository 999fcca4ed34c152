"""Parse whole rows with Arrow, and check that no row of the block is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from components._core.errors import DataError
from components._data.formats.bad_rows import BadRow, quote_remedy
from components._data.formats.csv.blocks import Block
from components._data.formats.csv.csv_file import CsvFile


def parse_block(
    block: Block,
    file: CsvFile,
    names: list[str],
    types: dict[str, pa.DataType],
    order: list[str] | None = None,
) -> tuple[pa.RecordBatch, list[BadRow]]:
    """Parse the rows of a block, and return those with too few or too many fields separately.

    Args:
        block: Block of whole rows.
        file: The file of the block.
        names: Columns of the file.
        types: Arrow type by column; others are inferred from the block.
        order: Columns to read, in this order; default: all, in file order.

    Raises:
        DataError: When rows are lost: neither read nor set aside.
        pyarrow.ArrowInvalid: When a cell does not fit its column's type, or is not UTF-8.
    """
    if not len(block.lines if block.data.isspace() else block.data):
        return _empty(types, order or names), []
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    options = csv.ParseOptions(
        delimiter=file.csv.delimiter,
        quote_char=file.csv.quote or False,
        escape_char=file.csv.escape or False,
        newlines_in_values=not block.is_plain,
        invalid_row_handler=skip,
    )
    table = csv.read_csv(
        pa.BufferReader(block.data),
        # one thread: only then does Arrow know the number of a row that it cannot parse
        read_options=csv.ReadOptions(use_threads=False, block_size=len(block.data) + 1, column_names=names),
        parse_options=options,
        convert_options=csv.ConvertOptions(column_types=types, include_columns=order or []),
    )
    if not block.holds(table.num_rows + len(ragged)):
        raise _lost(block, file, table.num_rows + len(ragged))
    return _one_batch(table), [_as_bad_row(row, block, file) for row in ragged]


def lines_of(block: Block, ragged: list[BadRow]) -> Any:
    """Return the line of each parsed row of a block, int64 [rows]."""
    return block.lines[~np.isin(block.lines, [row.line for row in ragged])] if ragged else block.lines


def parse_names(header: bytes, file: CsvFile) -> list[str]:
    """Parse the column names in a header.

    Raises:
        DataError: When it is not UTF-8.
    """
    options = csv.ParseOptions(
        delimiter=file.csv.delimiter,
        quote_char=file.csv.quote or False,
        escape_char=file.csv.escape or False,
        newlines_in_values=True,
    )
    whole = (
        header if header.endswith((b"\n", b"\r")) else header + b"\n"
    )  # Arrow calls a line without an end an empty file
    try:
        with csv.open_csv(pa.BufferReader(whole), parse_options=options) as reader:
            return list(reader.schema.names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise unreadable(file, error) from None


def unreadable(file: CsvFile, error: Exception) -> DataError:
    """Translate Arrow's error about a file that is not valid CSV."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError) or "UTF8" in text or "UTF-8" in text:
        return DataError(
            f"the header is not valid {file.encoding}",
            where=file.name,
            remedy="name the encoding of the file in data.csv.encoding (naru new --encoding)",
        )
    if "Empty CSV file" in text:
        return DataError(
            "is empty", where=file.name, remedy="a CSV needs a header and rows: remove the file or write it again"
        )
    return DataError(f"is not readable CSV: {text.splitlines()[0]}", where=file.name, remedy="correct the file")


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    if batches:
        return batches[0]
    return _empty(dict(zip(table.schema.names, table.schema.types, strict=True)), table.schema.names)


def _empty(types: dict[str, pa.DataType], names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], types.get(name, pa.null())) for name in names], names=names)


def _as_bad_row(row: Any, block: Block, file: CsvFile) -> BadRow:
    message = f"{row.actual_columns} fields where the header has {row.expected_columns}"
    return BadRow(file.name, int(block.lines[row.number - 1]), message, row.text)


def _lost(block: Block, file: CsvFile, found: int) -> DataError:
    return DataError(
        f"{len(block.lines):,} rows were expected from this line on, and {found:,} were read",
        where=f"{file.name}, line {int(block.lines[0])}",
        remedy=quote_remedy(""),
    )
