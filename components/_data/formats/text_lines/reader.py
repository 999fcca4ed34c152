"""Read lines of text in bounded batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.project.text_config import TEXT
from components._core.types.texts import shorten
from components._data.formats.bad_rows import BadRow
from components._data.formats.compression import fill, open_content
from components._data.formats.encoding import Utf8Stream, original_bytes
from components._data.formats.rows import FileTally, Rows
from components._data.sources.contract import SpanFile

_BLOCK_BYTES = 4 << 20
_LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"
_SHOWN = 1_000


def read_rows(
    file: SpanFile,
    encoding: str,
    reject: Callable[[BadRow], None],
    cells: Collection[str] = (),
    tally: FileTally | None = None,
) -> Iterator[Rows]:
    """Yield a file's lines; see `Format.read_rows`. Blank lines are no rows.

    Raises:
        DataError: When a line is too long, or the file is damaged.
    """
    tally = tally or FileTally()
    first = 1
    for block in _read_blocks(file, encoding, tally):
        texts, numbers = [], []
        lines = block.split(b"\n")
        ends = lines[:-1] if not lines[-1] else lines
        for number, line in enumerate(ends, first):
            try:
                text = line.removesuffix(b"\r").decode()
            except UnicodeDecodeError:
                shown = shorten(original_bytes(line).decode(encoding, "backslashreplace"), _SHOWN)
                reject(BadRow(file.name, number, f"is not valid in the file's encoding, {encoding}", shown))
                continue
            if text and not text.isspace():
                texts.append(text)
                numbers.append(number)
            else:
                tally.blank += 1
        first += len(ends)
        yield _rows(texts, np.array(numbers, np.int64), cells)


def _rows(texts: list[str], numbers: NDArray[np.int64], cells: Collection[str]) -> Rows:
    examples = pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], names=[TEXT])
    known = examples if TEXT in cells else pa.RecordBatch.from_arrays([pa.nulls(len(texts))], names=[""])
    return Rows(examples, known, lambda: numbers)


def _read_blocks(file: SpanFile, encoding: str, tally: FileTally) -> Iterator[bytes]:
    """Yield the file's text in UTF-8, in blocks of whole lines."""
    content = open_content(file, tally.watch)
    stream = content if encoding == "utf-8" else cast(BinaryIO, Utf8Stream(content, encoding))
    rest = b""
    is_first = True
    with stream:
        while part := fill(stream, _BLOCK_BYTES):
            data = rest + (part.removeprefix(_BOM) if is_first else part)
            is_first = False
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if len(rest) > _LONGEST_LINE:
                message = f"has a line longer than {_LONGEST_LINE >> 20} MiB"
                raise DataError(message, where=file.name, remedy="write a text a line")
            if end:
                yield data[:end]
    if rest:
        yield rest
