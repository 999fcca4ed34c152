"""The header of a CSV file: the lines before it, its bytes, and what is wrong with it."""

from __future__ import annotations

import re

import numpy as np

from components._core.errors import DataError
from components._data.formats.bad_rows import quote_remedy
from components._data.formats.csv.csv_file import CsvFile
from components._data.formats.csv.row_positions import find_rows

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def split_header(file: CsvFile, first: bytes, is_whole: bool) -> bytes:
    """Return the header's bytes from the first bytes of a file.

    Args:
        file: The file to read.
        first: First bytes of the file, a byte order mark included.
        is_whole: Whether they are the whole file.

    Raises:
        DataError: When it has a quote error.
    """
    text = text_from_header(file, first)
    codes = np.frombuffer(text, np.uint8)
    rows = find_rows(codes, file.csv, is_whole)
    if file.csv.comment and len(rows.starts):
        rows.is_blank[codes[rows.starts] == ord(file.csv.comment)] = True
    row = int(np.argmax(~rows.is_blank)) if len(rows.starts) else 0
    end = int(rows.ends[row]) if len(rows.starts) else len(text)
    start = int(rows.starts[row]) if len(rows.starts) else 0
    is_open = (rows.is_open and end == len(text)) or not len(rows.starts)
    if is_open or (rows.garbage < end).any() or b"\0" in text[start:end]:
        raise bad_header(file, text[start:end])
    return text[start:end]


def text_from_header(file: CsvFile, text: bytes) -> bytes:
    """Remove a byte order mark and the lines before the header from the first bytes of a text.

    Raises:
        DataError: When there are not so many lines.
    """
    text, count = text.removeprefix(_BYTE_ORDER_MARK), file.csv.skip_lines or 0
    at = 0
    for number in range(count):
        line = _LINE.match(text, at)
        if line is None:
            message = f"has {number} lines, and data.csv.skip_lines is {count}"
            raise DataError(message, where=file.name, remedy="correct data.csv.skip_lines, or leave it out")
        at = line.end()
    return text[at:] if at else text


def check_header(file: CsvFile, header: bytes, columns: int) -> None:
    """Refuse a header in which a column name contains a whole row.

    Args:
        file: The file to read.
        header: Bytes of the header.
        columns: Number of names in the header.

    Raises:
        DataError: When a line within a name has as many fields as the header.
    """
    first, *inner = header.strip(b"\r\n").splitlines() or [b""]
    whole = list(inner)
    if inner and file.csv.quote:
        inner[-1] = inner[-1].split(file.csv.quote.encode())[0]
    delimiter = file.csv.delimiter.encode()
    most = max(min(columns - 1, first.count(delimiter)), 1)
    named = zip(inner, whole, strict=True)  # a swallowed row has as many fields as the header's own line
    if any(cut.count(delimiter) >= most and line.count(delimiter) == first.count(delimiter) for cut, line in named):
        raise bad_header(file, header)


def bad_header(file: CsvFile, header: bytes) -> DataError:
    """Create the error for a header with a quote error."""
    message = (
        "the header has a NUL byte" if b"\0" in header else "a quote in the header is not closed where its name ends"
    )
    return DataError(
        message,
        where=f"{file.name}, line {1 + (file.csv.skip_lines or 0)}",
        remedy=quote_remedy(header.decode("utf-8", "replace")),
    )
