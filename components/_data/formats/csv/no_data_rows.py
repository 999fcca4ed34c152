"""Rows that are not data: a header that is repeated where files were joined, and a line of totals at the end."""

from __future__ import annotations

import codecs
import csv as python_csv
import re

from components._core.project.table_config import Csv

REPEATED_HEADER = "the header is repeated"
_TOTALS = {
    *("total", "totals", "grand total", "overall total", "sum", "합계", "총계", "총합", "총합계"),
    *("gesamt", "summe", "gesamtsumme", "total général", "somme", "suma", "totale"),
}


def find_repeats(buffer: bytes, header: bytes, start: int) -> list[int]:
    """Return the offsets of lines that are equal to the header, a byte order mark before it left aside.

    Args:
        buffer: Bytes that begin with a line.
        header: The header's line, without its line end.
        start: Offset to begin at, where a line begins.
    """
    found: list[int] = []
    at = buffer.find(header, start) if header else -1
    while at >= 0:
        end = at + len(header)
        begin = at - len(codecs.BOM_UTF8) if buffer.endswith(codecs.BOM_UTF8, start, at) else at
        if (begin == start or buffer[begin - 1 : begin] in (b"\n", b"\r")) and buffer[end : end + 1] in (
            b"",
            b"\r",
            b"\n",
        ):
            found.append(begin)
        at = buffer.find(header, end)
    return found


def find_total(row: bytes, buffer: bytes, csv: Csv) -> str:
    """Return why a file's last row is a line of totals; empty: it is none.

    Its first cell that is not empty is a word for a total, and no row before it has that cell.

    Args:
        row: The file's last row, without its line end.
        buffer: The rows before it, as far as they are at hand, and itself.
        csv: CSV options of the file.
    """
    marks = {"delimiter": csv.delimiter, "quotechar": csv.quote or None}
    try:
        quoting = python_csv.QUOTE_MINIMAL if csv.quote else python_csv.QUOTE_NONE
        cells = next(python_csv.reader([row.decode("utf-8", "replace")], quoting=quoting, **marks), [])  # type: ignore[arg-type]
    except python_csv.Error:
        return ""
    first = next((cell for cell in cells if cell.strip()), "")
    is_total = first.strip().rstrip(":").strip().lower() in _TOTALS
    if not is_total:
        return ""
    edge = rf"[\r\n{re.escape(csv.delimiter + csv.quote)}]"
    if len(re.findall(rf"(?:^|{edge}){re.escape(first)}(?={edge})".encode(), buffer)) > 1:
        return ""
    return f"a line of totals: its first cell is {first.strip()!r}"
