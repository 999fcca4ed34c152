"""Look at every file once before any row is kept: header, types that hold for all of them, and which files are clean.

The first file decides between number and text; a later one may turn whole numbers into real ones, but not numbers into
text, because that is how a broken export looks: its rows are then unreadable, one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._core.suggestions import listed, suggest
from components._data.formats.csv.arrow_parser import parse_block, parse_names, unreadable
from components._data.formats.csv.blocks import check_header, read_blocks, split_header
from components._data.sources.files import SpanFile

FLOAT32_MAX = float(np.finfo(np.float32).max)
_HEADER_BYTES = 1 << 20
_KIND_BYTES = 1 << 10
_NUL_SHARE = 10
"""A file of which every tenth byte is NUL is no text; a row with one is set aside."""
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
    header = split_header(file, first, is_whole=len(first) < _HEADER_BYTES)
    names = parse_names(header, file)
    check_header(file, header, len(names))
    return names


def _check_kind(file: SpanFile, first: bytes) -> None:
    """Refuse what is no text at all by its first bytes: a reader of CSV would say odd things of it."""
    if kind := next((kind for magic, kind in _OTHER_KINDS.items() if first.startswith(magic)), None):
        raise DataError(
            f"is {kind}, no CSV", where=file.name, remedy="export it as comma-separated text in UTF-8, not compressed"
        )
    head = first[:_KIND_BYTES]
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or head.count(b"\0") > len(head) // _NUL_SHARE:
        raise DataError("is UTF-16 or no text at all", where=file.name, remedy="save it as UTF-8")


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
        try:
            seen, fits = _read_through(file, names, {**types, **dict.fromkeys(broken, pa.string())})
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
        return found, fits and not broken


def _is_text_allowed(known: dict[str, pa.DataType], column: str) -> bool:
    return column not in known or pa.types.is_null(known[column])


def _read_through(
    file: SpanFile, names: list[str], types: dict[str, pa.DataType]
) -> tuple[dict[str, pa.DataType], bool]:
    """The types found, those that are not given by the first block's rows; and whether every row fits them."""
    seen: dict[str, pa.DataType] = {}
    fits = True
    for block in read_blocks(file, len(names)):
        if not block.data:
            continue
        batch, ragged = parse_block(block, file, names, {**seen, **types})
        if batch.num_rows:
            seen = dict(zip(batch.schema.names, batch.schema.types, strict=True))
        fits = fits and not ragged and all(is_in_range(column) for column in batch.columns)
    return {name: _kind(kind) for name, kind in seen.items()}, fits


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
