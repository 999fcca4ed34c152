"""Read an object of the request log as Arrow batches of bounded size.

They have one row for each row of a request, with the columns

    id, row, time, model, version, latency_ms, share, schema, masked, source, hashes.<feature>, inputs.<feature>, outputs.<output>

A missing value is null; so is one that the server masked, and then `masked` has the name
of its feature. Hashes are read of those features that the caller names. `share` and `schema` are null in format 1; `source` is null but for batch predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

import pyarrow as pa

from components._core.request_log.arrow_lines import infer_request_types, parse_requests
from components._core.request_log.blocks import LONGEST_LINE, Lines, read_blocks
from components._core.request_log.columns import LogTypes, UnequalLengthsError, explode, merge_columns, types_of
from components._core.request_log.counts import DamagedLine, LogCounts
from components._core.request_log.hours import LogObject, unavailable
from components._core.request_log.json_lines import Request, infer_types, parse_line, to_batch
from components._core.store.filesystems import open_filesystem
from components._core.types.json_values import LineError
from components._core.types.signature import Signature

BATCH_ROWS = 65_536
_FEW = 64
"""Lines that are not cut further to find the damaged one among them."""


def read_object(
    found: LogObject,
    counts: LogCounts,
    signature: Signature | None = None,
    *,
    batch_rows: int = BATCH_ROWS,
    longest_line: int = LONGEST_LINE,
    hashed: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an object; a line that cannot be read is counted, with its number, and left out.

    All batches of an object have one schema. Rows come about in the order of the lines.

    Args:
        found: The object.
        counts: Counts, to which this object's are added while it is read.
        signature: Signature of the model, which has the types of its features. Without it the object is read twice: first
            to infer the types.
        batch_rows: Most rows of a batch.
        longest_line: Bytes that a line may have; a longer one is counted as damaged.
        hashed: Masked features whose hashes are wanted; null where the log has none.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer, or the object is gone.
    """
    try:
        with open_object(found) as stream:
            seen = _see_types(stream, longest_line, is_first_enough=signature is not None)
        types = replace(types_of(signature, seen) if signature else seen, hashed=tuple(hashed))
        with open_object(found) as stream:
            for block in read_blocks(stream, longest_line):
                yield from _read_block(block, found.name, types, counts, batch_rows)
    except (OSError, ImportError) as error:
        raise unavailable(found.uri, error) from error


def open_object(found: LogObject) -> IO[bytes]:
    """Open an object of the log; what the store's library raises is not translated yet."""
    filesystem, path = open_filesystem(found.uri)
    stream: IO[bytes] = filesystem.open(path, "rb")
    return stream


def _see_types(stream: IO[bytes], longest_line: int, *, is_first_enough: bool) -> LogTypes:
    """Infer the types of all values, or the outputs' types from the first block with a request."""
    types = LogTypes()
    for block in read_blocks(stream, longest_line):
        if isinstance(block, int):
            continue
        requests, others = block.split()
        for found in (*_types_in(requests), *_types_in(others)):
            types = LogTypes(merge_columns(types.inputs, found.inputs), merge_columns(types.outputs, found.outputs))
        if is_first_enough and types.outputs:
            break
    return types


def _types_in(lines: Lines) -> Iterator[LogTypes]:
    if not len(lines.numbers):
        return
    found = infer_request_types(lines)
    if found:
        yield found
    elif len(lines.numbers) > _FEW:
        for half in lines.halves():
            yield from _types_in(half)
    else:
        yield infer_types([request for _, line in lines.each() if (request := _parse_or_none(line))])


def _parse_or_none(line: bytes) -> Request | None:
    try:
        return parse_line(line)
    except LineError:
        return None


def _read_block(
    block: Lines | int, name: str, types: LogTypes, counts: LogCounts, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    if isinstance(block, int):
        counts.add_damaged(DamagedLine(name, block, "the line is too long"))
        return
    requests, others = block.split()
    for exploded in (*_read_requests(requests, name, types, counts), *_read_each(others, name, types, counts)):
        counts.rows += exploded.num_rows
        for start in range(0, exploded.num_rows, batch_rows):
            yield exploded.slice(start, batch_rows)


def _read_requests(lines: Lines, name: str, types: LogTypes, counts: LogCounts) -> Iterator[pa.RecordBatch]:
    """Parse lines with Arrow's reader; when it refuses, in ever smaller halves."""
    if not len(lines.numbers):
        return
    exploded = _read_fast(lines, types, counts)
    if exploded is not None:
        yield exploded
    elif len(lines.numbers) > _FEW:
        for half in lines.halves():
            yield from _read_requests(half, name, types, counts)
    else:
        yield from _read_each(lines, name, types, counts)


def _read_fast(lines: Lines, types: LogTypes, counts: LogCounts) -> pa.RecordBatch | None:
    parsed = parse_requests(lines, types)
    if parsed is None:
        return None
    requests, unknown = parsed
    try:
        exploded = explode(requests, types)
    except UnequalLengthsError:
        return None
    counts.requests += requests.num_rows
    counts.unknown.update(unknown)
    return exploded


def _read_each(lines: Lines, name: str, types: LogTypes, counts: LogCounts) -> Iterator[pa.RecordBatch]:
    """Parse lines one by one, and count those that are damaged."""
    batches = []
    for number, line in lines.each():
        try:
            request = parse_line(line, counts)
            if request:
                batches.append(to_batch(request, types, counts))
        except LineError as error:
            counts.add_damaged(DamagedLine(name, number, str(error)))
    if batches:
        counts.requests += len(batches)
        requests = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
        yield explode(requests, types)
