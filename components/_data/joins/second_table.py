"""The second table of a join, read into memory: its keys, times and the columns that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from components._core.errors import DataError
from components._core.examples.artifact import SourceFile
from components._core.project.data_config import Data
from components._core.project.join_config import Join
from components._data.columns.cell_counts import CellCounts
from components._data.columns.date_orders import OrderCounts
from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from components._data.joins.joined_columns import (
    JoinedColumns,
    errors_name_the_join,
    find_columns,
    join_name,
    join_path,
    second_section,
)
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source

MOST_BYTES = 1 << 30
"""Size in memory of the columns that a join reads; a few times as much is used while they are sorted."""


@dataclass
class SecondTable:
    """A second table.

    Attributes:
        name: What messages call it.
        columns: The columns that the join reads.
        rows: Its rows, with the columns of `on`, `time` and those that it brings, in the types of examples.
        options: How its files are written, as JSON.
        note: How they are written, in a few words, where that is unusual.
        files: Its files.
        bad: Its rows that cannot be read.
        odd: Cells that did not fit their column's type and became missing.
        orders: Dates of each file by the orders of day and month in which they can be read.
    """

    name: str
    columns: JoinedColumns
    rows: pa.RecordBatch
    options: dict[str, Any]
    note: str
    files: list[SourceFile] = field(default_factory=list)
    bad: BadRowCount = field(default_factory=BadRowCount)
    odd: CellCounts = field(default_factory=CellCounts)
    orders: list[OrderCounts] = field(default_factory=list)


def read_second_table(
    data: Data, number: int, known: Sequence[str], set_aside: Callable[[BadRow], None]
) -> SecondTable:
    """Read the second table of a join.

    Args:
        data: The project's `data` section.
        number: Index of the join.
        known: The columns of the table, with those of earlier joins.
        set_aside: Called with every row that cannot be read.

    Raises:
        ConfigError: When a column does not exist, or the source or its options are invalid.
        DataError: When it cannot be read, has no rows, is too large, or more rows than `data.quarantine_limit` allows cannot be read.
    """
    with errors_name_the_join(number):
        return _read(data, number, known, set_aside)


def _read(data: Data, number: int, known: Sequence[str], set_aside: Callable[[BadRow], None]) -> SecondTable:
    join = data.join[number]
    files = open_source(join.source, "fail", join.sql).list_files("all")
    names = open_format(second_section(join), files[0]).column_names(files[0])
    columns = find_columns(data, number, names, known)
    table = open_format(_section_of_columns(data, join, columns, names), files[0])
    schema = table.infer_schema(files, "")
    needed = {
        name: schema.types[name]
        for name in dict.fromkeys(filter(None, [*join.on.values(), join.time, *columns.brought]))
    }
    read = SecondTable(join_name(data, number), columns, pa.record_batch([], names=[]), {}, "")
    reader = _Reader(table, schema, needed, read, set_aside, join_path(number))
    batches = [batch for file in files for batch in reader.read_file(file)]
    _check_readable(data, read, sum(batch.num_rows for batch in batches), files[0].name)
    read.rows = _combine(batches, needed)
    read.options = {"options": table.options, "files": [table.file_options(file) for file in files]}
    read.note = table.describe()
    return read


@dataclass
class _Reader:
    """Reads the files of a second table; for the attributes see `SecondTable`."""

    table: Format
    schema: TableSchema
    needed: Mapping[str, pa.DataType]
    read: SecondTable
    set_aside: Callable[[BadRow], None]
    path: str
    size: int = 0

    def read_file(self, file: SpanFile) -> Iterator[pa.RecordBatch]:
        """Yield the needed columns of a file's rows."""
        tally, rows, before = FileTally(), 0, self.read.bad.rows
        for found in self.table.read_rows(file, self.schema, "", self._reject, (), tally):
            batch = found.examples
            arrays = [batch[name].cast(kind) for name, kind in self.needed.items()]
            batch = pa.RecordBatch.from_arrays(arrays, names=list(self.needed))
            self._check_size(batch, file)
            rows += batch.num_rows
            yield batch
        self.read.odd.merge(tally.odd)
        self.read.orders.append(tally.orders)
        set_aside = self.read.bad.rows - before
        self.read.files.append(SourceFile(file.name, file.span, rows, set_aside, tally.bytes, tally.sha256.hexdigest()))

    def _reject(self, row: BadRow) -> None:
        self.read.bad.add(row)
        self.set_aside(row)

    def _check_size(self, batch: pa.RecordBatch, file: SpanFile) -> None:
        self.size += batch.nbytes
        if self.size > MOST_BYTES:
            message = f"the columns of the second table take more than {MOST_BYTES / (1 << 30):g} GiB, as much as a join holds in memory"
            remedy = f"name fewer in {self.path}.columns, leave out rows that no row needs, or join the tables in their database"
            raise DataError(message, where=file.name, remedy=remedy)


def _combine(batches: list[pa.RecordBatch], needed: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Make one batch of all."""
    table = pa.Table.from_batches(batches, schema=pa.schema(list(needed.items())))
    columns = [
        pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type) for column in table.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(needed))


def _check_readable(data: Data, read: SecondTable, kept: int, file: str) -> None:
    """Refuse a table without rows, or of which more rows cannot be read than `data.quarantine_limit` allows."""
    if not kept and not read.bad.rows:
        raise DataError(
            "has a header and no rows", where=file, remedy="nothing can be joined from it; check the export"
        )
    read.bad.check_quotes(kept)
    first, total = read.bad.first, kept + read.bad.rows
    if first is not None and read.bad.rows / total > data.quarantine_limit:
        share = f"{read.bad.rows / total:.2%}; allowed {data.quarantine_limit:.2%}"
        message = (
            f"{read.bad.rows} of {total} rows of the second table cannot be read ({share}); the first: {first.reason}"
        )
        remedy = "correct the rows, or allow a share of them with data.quarantine_limit"
        raise DataError(message, where=first.place, remedy=remedy)


def _section_of_columns(data: Data, join: Join, columns: JoinedColumns, names: Sequence[str]) -> Data:
    """Return the section with how cells are read; the columns that are not needed may have any type.

    A key is read as the column that it is compared with, and so is the time.
    """
    partners = {second: own for own, second in join.on.items()}
    if columns.row_time:
        partners[join.time] = columns.row_time
    readings = {second: data.columns[own] for second, own in partners.items() if own in data.columns}
    exclude = [name for name in names if name not in {*partners, *columns.brought}]
    changes = {"columns": {**readings, **join.readings}, "odd_cells": data.odd_cells, "exclude": exclude}
    return second_section(join).model_copy(update=changes)
