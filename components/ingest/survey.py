"""Look at every file once before any row is kept: header, types that hold for all of them, and which files are clean.

The first file decides between number and text; a later one may turn whole numbers into real ones, but not numbers into
text, because that is how a broken export looks: its rows are then unreadable, one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from components._core.errors import DataError
from components._core.suggestions import listed, suggest
from components.ingest.sources import SpanFile

BLOCK_BYTES = 8 << 20
"""Bytes read at a time: what bounds the memory, and the size of the sample by which types are first guessed."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
_HEADER_BYTES = 1 << 20
_KIND_BYTES = 1 << 10
_OTHER_KINDS = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\x1f\x8b": "compressed",
    b"BZh": "compressed",
    b"\xfd7zXZ": "compressed",
    b"(\xb5/\xfd": "compressed",
    b"SQLite format": "a database",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF",
}
"""What other files begin with."""
_SEPARATORS = (";", "\t", "|")


@dataclass(frozen=True)
class Survey:
    """What the files hold.

    Attributes:
        types: Arrow type (`int64`, `float64` or `string`) by column, in the first file's order; holds for all files.
        clean: Names of the files in which every row has every cell in its type.
    """

    types: dict[str, pa.DataType]
    clean: frozenset[str]


def survey_files(files: list[SpanFile], label: str) -> Survey:
    """Read every file once, in bounded memory, to find the types and what does not fit them.

    Raises:
        DataError: When a file is empty, not UTF-8, has duplicate or nameless columns, no label, or other columns than the
            first.
    """
    types: dict[str, pa.DataType] = {}
    clean = set()
    for file in files:
        names = read_header(file)
        _check_header(file, names, list(types), label)
        found, fits = _survey_file(file, names, types)
        types = {name: found[name] for name in (types or names)}
        if fits:
            clean.add(file.name)
    return Survey(
        {name: pa.string() if pa.types.is_null(kind) else kind for name, kind in types.items()}, frozenset(clean)
    )


def read_header(file: SpanFile) -> list[str]:
    """The column names of a file.

    Raises:
        DataError: When it has no header or is not UTF-8.
    """
    with file.filesystem.open(file.path, "rb") as stream:
        first = stream.read(_HEADER_BYTES)
    if not first.strip():
        raise DataError(
            "is empty", where=file.name, remedy="a CSV needs a header and rows: remove the file or write it again"
        )
    _check_kind(file, first)
    parsing = csv.ParseOptions(invalid_row_handler=lambda row: "skip", newlines_in_values=True)
    try:
        with csv.open_csv(pa.BufferReader(first), parse_options=parsing) as reader:
            return list(reader.schema.names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise unreadable(file, error) from None


def _check_kind(file: SpanFile, first: bytes) -> None:
    """Refuse what is no text at all by its first bytes: a reader of CSV would say odd things of it."""
    if kind := next((kind for magic, kind in _OTHER_KINDS.items() if first.startswith(magic)), None):
        raise DataError(
            f"is {kind}, no CSV", where=file.name, remedy="export it as comma-separated text in UTF-8, not compressed"
        )
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in first[:_KIND_BYTES]:
        raise DataError("is UTF-16 or no text at all", where=file.name, remedy="save it as UTF-8")


def open_batches(
    file: SpanFile, types: dict[str, pa.DataType], on_ragged: Callable[[Any], None], order: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Read a file with given types (others are guessed by its first block); ragged rows are told and left out.

    Args:
        file: Which file.
        types: Arrow type by column.
        on_ragged: Called with Arrow's `InvalidRow` for each row with too few or too many fields.
        order: Columns to read, in this order; default: all, as they stand.
    """

    def skip(row: Any) -> str:
        on_ragged(row)
        return "skip"

    # one thread: only then does the reader know the line of a row that it cannot parse
    with file.filesystem.open(file.path, "rb") as stream:
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(invalid_row_handler=skip, newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=types, include_columns=order or []),
        )
        with reader:
            yield from reader


def unreadable(file: SpanFile, error: Exception) -> DataError:
    """Translate what Arrow says of a file that is no CSV of ours."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError) or "UTF8" in text or "UTF-8" in text:
        return DataError(
            "is not UTF-8", where=file.name, remedy="save it as UTF-8, as in: iconv -f ISO-8859-1 -t UTF-8"
        )
    if "Empty CSV file" in text:
        return DataError(
            "is empty", where=file.name, remedy="a CSV needs a header and rows: remove the file or write it again"
        )
    return DataError(
        f"is not a CSV that can be read: {text.splitlines()[0]}", where=file.name, remedy="correct the file"
    )


def _check_header(file: SpanFile, names: list[str], expected: list[str], label: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(
            f"column {twice[0]!r} stands twice in the header", where=file.name, remedy="name each column once"
        )
    if "" in names:
        place = names.index("") + 1
        raise DataError(
            f"column {place} has no name",
            where=file.name,
            remedy="name it in the header; from pandas: to_csv(index=False)",
        )
    check_separator(file.name, names)
    if label not in names:
        raise DataError(
            f"has no label column {label!r}; {suggest(label, names)}",
            where=file.name,
            remedy="correct `label` in project.yaml",
        )
    if expected and set(names) != set(expected):
        lacking, new = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
        told = " and ".join(
            part for part in (lacking and f"lacks {listed(lacking)}", new and f"has {listed(new)} more") if part
        )
        raise DataError(
            f"{told}, compared with the spans before",
            where=file.name,
            remedy="bring the files to the same columns, or name other spans",
        )


def check_separator(where: str, names: list[str]) -> None:
    """Refuse a header of a single column whose name holds what separates columns elsewhere.

    Raises:
        DataError: Says which, and how to write the file again.
    """
    mark = next((mark for mark in _SEPARATORS if mark in names[0]), None) if len(names) == 1 else None
    if mark:
        remedy = f"write it again, as in pandas: pd.read_csv(..., sep={mark!r}).to_csv(..., index=False)"
        raise DataError(f"its columns are separated by {mark!r}, and must be by a comma", where=where, remedy=remedy)


def _survey_file(
    file: SpanFile, names: list[str], known: dict[str, pa.DataType]
) -> tuple[dict[str, pa.DataType], bool]:
    """Types that hold for this file and those before, and whether all of its rows fit them."""
    types = {name: kind for name, kind in known.items() if not pa.types.is_null(kind)}
    broken: dict[str, pa.DataType] = {}
    while True:
        ragged: list[Any] = []
        try:
            seen, in_range = _read_through(file, {**types, **dict.fromkeys(broken, pa.string())}, ragged.append)
        except pa.ArrowInvalid as error:
            column = _conversion_column(error, names)
            if column is None:
                raise unreadable(file, error) from None
            if types.get(column) == pa.float64() and not _is_text_allowed(known, column):
                broken[column] = known[column]
            else:
                types[column] = pa.string() if types.get(column) == pa.float64() else pa.float64()
            continue
        found = {name: broken.get(name) or types.get(name) or seen.get(name, pa.null()) for name in names}
        return found, in_range and not ragged and not broken


def _is_text_allowed(known: dict[str, pa.DataType], column: str) -> bool:
    return column not in known or pa.types.is_null(known[column])


def _read_through(
    file: SpanFile, types: dict[str, pa.DataType], on_ragged: Callable[[Any], None]
) -> tuple[dict[str, pa.DataType], bool]:
    seen: dict[str, pa.DataType] = {}
    in_range = True
    for batch in open_batches(file, types, on_ragged):
        seen = {name: _kind(kind) for name, kind in zip(batch.schema.names, batch.schema.types, strict=True)}
        in_range = in_range and all(is_in_range(column) for column in batch.columns)
    return seen, in_range


def is_in_range(column: pa.Array) -> bool:
    """Whether every number of a column is finite and fits a float32; other types always do."""
    if not pa.types.is_floating(column.type) or len(column) == column.null_count:
        return True
    return bool(pc.max(pc.abs(column)).as_py() <= FLOAT32_MAX)


def _kind(kind: pa.DataType) -> pa.DataType:
    """What a column that Arrow guessed is to us: dates, times and truth values stay the text that they were."""
    return kind if kind in (pa.int64(), pa.float64(), pa.null()) else pa.string()


def _conversion_column(error: Exception, names: list[str]) -> str | None:
    match = re.search(r"CSV column #(\d+).*conversion error", str(error), re.DOTALL)
    return names[int(match[1])] if match else None
