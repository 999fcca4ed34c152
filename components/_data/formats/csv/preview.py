"""A quick preview of a CSV file with Python's own module, before anything heavy is imported."""

from __future__ import annotations

import csv
import io

from components._data.formats.contract import Preview
from components._data.sources.contract import SpanFile

_BYTES = 1 << 20


def preview_file(file: SpanFile) -> Preview | None:
    """Read the beginning of a file; None where it is not plain comma-separated UTF-8.

    Raises:
        OSError: When it cannot be read.
    """
    with file.open() as stream:
        content = stream.read(_BYTES + 1)
    whole = len(content) <= _BYTES
    try:
        text = content.decode("utf-8-sig", "strict" if whole else "ignore")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=whole))
    except (ValueError, OverflowError, csv.Error):
        return None
    if not rows or any(not name or name != name.strip() for name in rows[0]) or len(set(rows[0])) < len(rows[0]):
        return None
    seen = rows[1:] if whole else rows[1:-1]  # the last row may be cut
    return Preview(rows[0], [row for row in seen if len(row) == len(rows[0])])
