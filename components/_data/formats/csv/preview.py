"""A quick preview of a CSV file with Python's own module, before anything heavy is imported."""

from __future__ import annotations

import csv
import io

from components._data.formats.compression import fill
from components._data.formats.contract import Preview
from components._data.formats.csv.csv_file import CsvFile

_BYTES = 1 << 20


def preview_file(file: CsvFile) -> Preview | None:
    """Read the beginning of a file; None where it is not plain: `infer_schema` explains what is not.

    Raises:
        DataError: When it is compressed and damaged.
        OSError: When it cannot be read.
    """
    options = file.csv
    with file.open_text() as stream:
        content = fill(stream, _BYTES + 1)
    whole = len(content) <= _BYTES
    marks = {"delimiter": options.delimiter, "quotechar": options.quote or None, "escapechar": options.escape or None}
    quoting = csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE
    try:
        text = content.decode("utf-8-sig", "strict" if whole else "ignore")
        lines = io.StringIO(text, newline="").readlines()[options.skip_lines or 0 :]
        kept = [line for line in lines if not (options.comment and line.startswith(options.comment))]
        rows = [row for row in csv.reader(kept, strict=whole, quoting=quoting, **marks) if row]  # type: ignore[arg-type]
    except (ValueError, OverflowError, csv.Error):
        return None
    if rows:
        rows[0] = file.name_columns(rows[0])
    if not rows or any(not name or name != name.strip() for name in rows[0]) or len(set(rows[0])) < len(rows[0]):
        return None
    seen = rows[1:] if whole else rows[1:-1]  # the last row may be cut
    return Preview(rows[0], [row for row in seen if len(row) == len(rows[0])])
