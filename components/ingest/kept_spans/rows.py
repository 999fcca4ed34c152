"""The rows of a kept span: in the order of the source for a splitter, and placed into the examples of this run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, split_file
from components._core.examples.safe_parquet import pq
from components._core.files import link_file
from components._data.formats.rows import Rows
from components.ingest.kept_spans.entry import NUMBERS, KeptSpan, part_name
from components.ingest.span_writer import SpanWriter
from components.ingest.splits.contract import Splitter


class NumbersFile:
    """Writes the split of each row in the order of the source, a row group for each batch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = pq.ParquetWriter(path, pa.schema([("split", pa.int8())]), compression="snappy")

    def write(self, numbers: NDArray[np.int8]) -> None:
        """Write the next batch."""
        if len(numbers):
            self._file.write_table(pa.table({"split": pa.array(numbers, pa.int8())}), row_group_size=len(numbers))

    def close(self) -> None:
        """End the file."""
        self._file.close()


class _Batch(NamedTuple):
    """Rows in the order of the source, and the split that each had."""

    examples: pa.RecordBatch
    numbers: NDArray[np.int8]


def as_rows(examples: pa.RecordBatch) -> Rows:
    """Wrap examples whose raw cells are not at hand."""
    cells = pa.RecordBatch.from_arrays([pa.nulls(examples.num_rows)], names=[""])
    return Rows(examples, cells, lambda: np.zeros(examples.num_rows, np.int64))


def read_any_order(kept: KeptSpan, columns: Sequence[str]) -> Iterator[Rows]:
    """Yield some columns of all rows, split by split; none named: all columns."""
    for split in SPLITS:
        if path := kept.parts.get(part_name(split)):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(columns) or None):
                    yield as_rows(batch)


def place(kept: KeptSpan, span: int, examples: Path) -> None:
    """Place a kept span's files among the examples, as they are."""
    for split in SPLITS:
        if path := kept.parts.get(part_name(split)):
            target = split_file(examples, split, span)
            target.parent.mkdir(parents=True, exist_ok=True)
            link_file(path, target)


def is_split_alike(kept: KeptSpan, splitter: Splitter) -> bool:
    """Return whether every row has the split that the splitter gives it."""
    columns = list(splitter.definition.columns)
    return all(
        np.array_equal(splitter.assign(as_rows(batch.examples)), batch.numbers) for batch in _in_order(kept, columns)
    )


def split_again(
    kept: KeptSpan, splitter: Splitter, writer: SpanWriter, record: Callable[[NDArray[np.int8]], None]
) -> None:
    """Write a kept span's rows into the splits that the splitter gives them: the files are those of reading the source."""
    for batch in _in_order(kept, None):
        assigned = splitter.assign(as_rows(batch.examples))
        writer.write(batch.examples, assigned)
        record(assigned)


def _in_order(kept: KeptSpan, columns: list[str] | None) -> Iterator[_Batch]:
    """Yield the batches that were written, each with its rows in the order of the source."""
    paths = {number: kept.parts.get(part_name(split)) for number, split in enumerate(SPLITS)}
    with ExitStack() as opened:
        files = {number: opened.enter_context(_SplitRows(path, columns)) for number, path in paths.items() if path}
        source = opened.enter_context(pq.ParquetFile(kept.parts[NUMBERS]))
        for group in range(source.num_row_groups):
            numbers = np.asarray(source.read_row_group(group).column(0)).astype(np.int8)
            counts = {number: int((numbers == number).sum()) for number in files}
            parts = [file.take(counts[number]) for number, file in files.items() if counts[number]]
            places = np.empty(len(numbers), np.int64)
            places[np.argsort(numbers, kind="stable")] = np.arange(len(numbers))
            rows = pa.concat_tables(parts).take(pa.array(places)).combine_chunks()
            arrays = [column.chunk(0) for column in rows.columns]
            yield _Batch(pa.RecordBatch.from_arrays(arrays, names=rows.column_names), numbers)


class _SplitRows:
    """The rows of one split, taken from the beginning."""

    def __init__(self, path: Path, columns: list[str] | None) -> None:
        self._file = pq.ParquetFile(path)
        self._columns = columns
        self._group = 0
        self._left: list[pa.Table] = []

    def __enter__(self) -> _SplitRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def take(self, count: int) -> pa.Table:
        """Take the next rows; a batch of very many rows is more than one row group."""
        while sum(table.num_rows for table in self._left) < count:
            self._left.append(self._file.read_row_group(self._group, columns=self._columns))
            self._group += 1
        rows = pa.concat_tables(self._left)
        self._left = [rows.slice(count)]
        return rows.slice(0, count)
