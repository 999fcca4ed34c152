"""Reads a table span by span, or takes the spans that are kept, and writes their rows into the splits."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from components._core.examples.artifact import SourceFile
from components._core.project.project_file import Project
from components._data.columns.cell_counts import CellCounts, check_fitting
from components._data.columns.date_orders import OrderCounts
from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.contract import Format, TableSchema
from components._data.formats.rows import FileTally, Rows
from components._data.joins.table_joins import TableJoins
from components._data.rules.row_rules import RowFilter
from components._data.sources.contract import SpanFile
from components.ingest.kept_spans.entry import FileRead
from components.ingest.kept_spans.reuse import Recording, SpanReuse
from components.ingest.span_writer import SpanWriter
from components.ingest.splits.contract import Splitter, Table


@dataclass
class Aside:
    """Writes the rows set aside, and counts empty lines and the cells that became missing.

    Attributes:
        path: The file to write, as JSON lines.
        count: The rows set aside.
        blank: Number of empty lines.
        odd: Cells that did not fit their column's type and became missing.
        missing: Cells with a text that stands for a missing value.
        orders: Dates of each file by the orders of day and month in which they can be read.
    """

    path: Path
    count: BadRowCount = field(default_factory=BadRowCount)
    blank: int = 0
    odd: CellCounts = field(default_factory=CellCounts)
    missing: CellCounts = field(default_factory=CellCounts)
    orders: list[OrderCounts] = field(default_factory=list)

    def __enter__(self) -> Aside:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: BadRow) -> None:
        """Set a row aside."""
        self.count.add(row)
        self.write(row)

    def write(self, row: BadRow) -> None:
        """Write a row that is not one of the table, as of the second table of a join: it is counted elsewhere."""
        self._file.write(json.dumps(row.to_dict(), ensure_ascii=False, sort_keys=True) + "\n")

    def take(self, read: FileRead) -> None:
        """Add what was counted in a file.

        Raises:
            DataError: When its cells say that a column is not what it is read as.
        """
        self.blank += read.blank
        self.odd.merge(read.odd)
        self.missing.merge(read.missing)
        self.orders.append(read.orders)
        read.orders.check_orders()
        check_fitting(read.odd, read.fitting, read.file.path)


@dataclass(frozen=True)
class SpanReader:
    """Reads the spans of a table, or takes those that are kept.

    Attributes:
        project: The project.
        table: The table's format, after schema inference.
        schema: The schema.
        files: The files of all spans, in order.
        joins: The joins of `data.join`; they count the rows by what they find.
        rules: The rules of `data.rows`; they count the rows that they leave out.
        reuse: The kept spans.
    """

    project: Project
    table: Format
    schema: TableSchema
    files: list[SpanFile]
    joins: TableJoins
    rules: RowFilter
    reuse: SpanReuse

    @cached_property
    def spans(self) -> dict[int, list[SpanFile]]:
        """The files of each span, in order."""
        return {span: list(of_span) for span, of_span in groupby(self.files, lambda file: file.span)}

    def table_to_split(self) -> Table:
        """Describe the table for a splitter."""
        hidden = {self.project.label, *self.project.data.exclude}
        features = [name for name in self.schema.types if name not in hidden]
        names = frozenset(file.split for file in self.files if file.split)
        pictures, texts = self.project.data.pictures, self.project.data.texts
        group = pictures.group_column if pictures else ""
        groups = (*([group] if group else []), *texts.groups)
        return Table(features, self.project.label, self._read_all, names, groups)

    def ingest_span(self, span: int, splitter: Splitter, examples: Path, aside: Aside) -> list[SourceFile]:
        """Write a span into one file for each split, and return what its files are."""
        kept = self.reuse.place(span, splitter, examples)
        if kept is None:
            read = self._read_span(span, splitter, examples, aside)
        else:
            read = kept.files
            for row in kept.rejects():
                aside.add(row)
            for file in read:
                self.rules.add_dropped(file.dropped)
        for file in read:
            aside.take(file)
            self.joins.add_counts(file.joined)
        return [file.file for file in read]

    def _read_all(self, cells: Collection[str]) -> Iterator[Rows]:
        """Read all rows that will become examples; rows set aside are reported in the final pass only."""
        split = self.project.data.split
        rules = RowFilter(self.project.data.rows, self.joins.column_types)
        columns = list(dict.fromkeys([*filter(None, [split.time_column]), *split.by]))
        for span, files in self.spans.items():
            kept = self.reuse.read_for_split(span, cells, columns)
            if kept is not None:
                yield from kept
                continue
            for file in files:
                for rows in self.table.read_rows(file, self.schema, self.project.label, lambda row: None, cells):
                    yield rules.apply(self._join_for(rules, rows))

    def _join_for(self, rules: RowFilter, rows: Rows) -> Rows:
        """Join rows for rules that may name joined columns; a splitter needs none of them."""
        return self.joins.apply(rows, self.joins.start_counts()) if rules.dropped else rows

    def _read_span(self, span: int, splitter: Splitter, examples: Path, aside: Aside) -> list[FileRead]:
        """Read all files of a span."""
        with self.reuse.recording(span, splitter, examples) as recording:
            with SpanWriter(examples, span) as writer:
                output = _Output(writer, aside, recording)
                read = [self._read_file(file, splitter, output) for file in self.spans[span]]
            if recording:
                recording.files = read
        return read

    def _read_file(self, file: SpanFile, splitter: Splitter, output: _Output) -> FileRead:
        """Read a file, and count what is in it."""
        tally, kept, joined = FileTally(), 0, self.joins.start_counts()
        aside_before, dropped_before = output.set_aside, dict(self.rules.dropped)
        for read in self.table.read_rows(file, self.schema, self.project.label, output.reject, splitter.cells, tally):
            rows = self.rules.apply(self.joins.apply(read, joined))
            output.write(rows, splitter.assign(rows, file.split))
            kept += rows.examples.num_rows
        dropped = {name: total - dropped_before[name] for name, total in self.rules.dropped.items()}
        set_aside = output.set_aside - aside_before
        whole = SourceFile(file.name, file.span, kept, set_aside, tally.bytes, tally.sha256.hexdigest())
        return FileRead(
            whole, tally.blank, tally.odd, tally.missing, dropped, joined, dict(tally.fitting), tally.orders
        )


@dataclass
class _Output:
    """Where the rows of a span go while it is read."""

    writer: SpanWriter
    aside: Aside
    recording: Recording | None
    set_aside: int = 0

    def write(self, rows: Rows, numbers: NDArray[np.int8]) -> None:
        """Write rows into their splits."""
        self.writer.write(rows.examples, numbers)
        if self.recording:
            self.recording.assign(numbers)

    def reject(self, row: BadRow) -> None:
        """Set a row aside."""
        self.aside.add(row)
        self.set_aside += row.rows
        if self.recording:
            self.recording.reject(row)
