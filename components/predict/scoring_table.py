"""The table whose rows are answered: read by the formats and sources of ingest, as the served model takes its columns.

A value that the server refuses is refused here too, so a cell that does not fit a feature never becomes missing: its row is set
aside. In formats of text the model decides how the cells of a feature are read, since a file may be too short to show it: `7` in a
feature of texts is a text. Columns that the model does not take keep their values as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa

from components._core.errors import ConfigError, DataError
from components._core.files import fingerprint_of
from components._core.project.column_config import ColumnReading
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.project.table_config import Csv, Sql, Xlsx
from components._core.project.text_config import TEXTS_SCHEME, Texts
from components._core.suggestions import suggest
from components._core.types.signature import Feature, Signature
from components._data.columns.date_orders import OrderCounts, merge_orders
from components._data.formats.bad_rows import BadRow
from components._data.formats.column_readings import with_readings
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally, Rows
from components._data.joins.joined_columns import join_path
from components._data.joins.source_state import fingerprint_state
from components._data.joins.table_joins import TableJoins
from components._data.sources.contract import SpanFile
from components._data.sources.registry import is_database, open_source

_TEXTS = ("csv",)
"""Formats whose cells are texts."""
_UNTYPED = ("csv", "jsonl", "xlsx")
"""Formats in which a column's type is inferred from its cells."""


@dataclass(frozen=True)
class ScoringTable:
    """An open table.

    Attributes:
        data: The `data` section that it is read by.
        table: Its format.
        schema: Its columns.
        files: Its files, in order.
        joins: The joins of the project.
        state: Fingerprint of the content of the table and of the joined ones.
        orders: Dates of each file that was read to its end, by the orders of day and month in which they can be read.
    """

    data: Data
    table: Format
    schema: TableSchema
    files: list[SpanFile]
    joins: TableJoins
    state: str
    orders: list[OrderCounts] = field(default_factory=list, compare=False)

    @property
    def columns(self) -> dict[str, pa.DataType]:
        """Arrow type by column, with those of the joins."""
        return self.joins.types

    @property
    def definition(self) -> str:
        """All that decides what rows the files give."""
        columns = [(name, str(kind)) for name, kind in self.columns.items()]
        readings = [
            (name, read.kind, read.decimal, read.order, sorted(read.missing), read.odd_cells)
            for name, read in sorted(self.schema.readings.items())
        ]
        return repr((columns, readings, self.table.options, self.joins.definitions))

    def read(self, reject: Callable[[BadRow], None]) -> Iterator[tuple[SpanFile, Rows]]:
        """Yield the rows of all files in bounded batches, with the columns of the joins.

        Args:
            reject: Called with every row that cannot be read.

        Raises:
            DataError: When the dates of a file say that they are read in the wrong order.
        """
        counts = self.joins.start_counts()
        for file in self.files:
            tally = FileTally()
            for rows in self.table.read_rows(file, self.schema, "", reject, tally=tally):
                if rows.examples.num_rows:
                    yield file, self.joins.apply(rows, counts)
            tally.orders.check_orders()
            self.orders.append(tally.orders)

    def date_notes(self) -> list[str]:
        """Return a sentence for each column of dates, of those read so far, of which some contradict the order that it is read in."""
        mixed = merge_orders(self.orders).mixed()
        notes = [
            f"{column}: {count.describe()}; {count.remedy(column)}" for column, count in mixed.items() if count.order
        ]
        for number, join in enumerate(self.joins.joins):
            for column, count in merge_orders(join.second.orders).mixed().items():
                if count.order and column in join.second.rows.schema.names:
                    remedy = count.remedy(column, f"{join_path(number)}.readings")
                    notes.append(f"{join.second.name}: {column}: {count.describe()}; {remedy}")
        return notes

    def check_unchanged(self) -> None:
        """Refuse a table that was written to while it was read.

        Raises:
            DataError: When its state is another one than when it was opened.
        """
        if fingerprint_state(self.data) != self.state:
            remedy = "run again when the writer has finished: nothing was written to the output"
            raise DataError("the source changed while it was read", where=self.data.source, remedy=remedy)


def open_table(project: Project, signature: Signature) -> ScoringTable:
    """Open the project's source for a model.

    Args:
        project: The project, with its source as an absolute location.
        signature: The model's signature.

    Raises:
        ConfigError: When the source or a join is invalid.
        DataError: When the table cannot be read, lacks a feature that the model requires, or the dates of a join are read in the wrong order.
    """
    data = project.data
    files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
    data = _with_own_sections(data, files[0])
    state = fingerprint_state(data)
    features = {feature.name: feature for feature in signature.inputs}
    # the predictor masks texts itself; files of text are bytes, which must be decoded
    has_files = data.source.startswith(TEXTS_SCHEME)
    texts = data.texts.model_copy(update={"mask": [], "near": 0}) if has_files else Texts()
    plain = data.model_copy(update={"odd_cells": "quarantine", "texts": texts})
    kind = _format_of(plain, files[0]).name
    as_text = {name for name, feature in features.items() if feature.type.is_text and kind in _TEXTS}
    plain = _with_columns(plain, as_text, "text")
    table = open_format(plain, files[0])
    schema = table.infer_schema(files, "")
    joined = {name for join in data.join for name in [*join.on, join.row_time or data.split.time_column] if name}
    if kind in _UNTYPED:
        schema = _read_numbers(schema, features, data)
    schema = _keep_others(schema, {*features, *data.columns, *joined})
    if project.label in schema.readings:  # a row is answered whatever its label is
        own = replace(schema.readings[project.label], odd_cells="missing")
        schema = replace(schema, readings={**schema.readings, project.label: own})
    # a row is not refused for what the model does not take
    schema = replace(schema, unbounded=frozenset(schema.types) - {*features, *joined})
    joins = TableJoins(data, schema.types, lambda row: None)
    for number, join in enumerate(joins.joins):
        for orders in join.second.orders:
            orders.check_orders(f"{join_path(number)}.readings")
    _check_features(signature, list(joins.types), files[0].name)
    return ScoringTable(data, table, schema, files, joins, state)


def data_for(data: Data, source: str, spans: str = "", sql: Sql | None = None) -> Data:
    """Return the section for another table than the project's, whose format is recognised by its content.

    Args:
        data: The project's section.
        source: The table, as an absolute location.
        spans: Spans to read; empty: all.
        sql: What of a database is the table; None: as in the project.

    Raises:
        ConfigError: When the table of a database is missing, or one is named of something else.
    """
    new = {"source": source, "format": "", "spans": spans or "all"}
    if not is_database(source):
        if sql is not None:
            remedy = "leave them out, or name a database with --source"
            raise ConfigError("--source-table and --source-query are for databases", where=source, remedy=remedy)
        return data.model_copy(update={**new, "sql": None})
    if sql is None and data.sql is None:
        remedy = "name it with --source-table, or give a SELECT with --source-query"
        raise ConfigError("which table of this database?", where=source, remedy=remedy)
    return data.model_copy(update={**new, "sql": sql or data.sql})


def option_names(source: str, sql: Sql | None) -> dict[str, str]:
    """Return the options by the keys of project.yaml that they stand for, for errors of a source; empty without such options.

    Args:
        source: The table that an option names; empty: the project's.
        sql: What of a database options name; None: what the project names.
    """
    named = {"data.sql.table": "--source-table", "data.sql.query": "--source-query", "data.sql": "--source-table"}
    of_source = {
        "data.source": "--source",
        "data.spans": "--spans",
        "it is relative to project.yaml": "it is relative to the working directory",
    }
    return {**(of_source if source else {}), **(named if source or sql else {})}


def parse_sql(table: str, query: str) -> Sql | None:
    """Parse the name of a table or a query; None when both are empty.

    Raises:
        ConfigError: When both are given.
    """
    if table and query:
        raise ConfigError("give --source-table or --source-query, not both", where="naru predict")
    return Sql(table=table) if table else Sql(query=query) if query else None


def missing_features(signature: Signature, columns: dict[str, pa.DataType]) -> list[str]:
    """Return a sentence for each feature that the table does not have and the model does not require."""
    unknown = [name for name in columns if name not in {feature.name for feature in signature.accepted}]
    return [
        f"the table has no column {feature.name!r}: it is missing in every row; {suggest(feature.name, unknown)}"
        for feature in signature.inputs
        if feature.name not in columns
    ]


def _with_own_sections(data: Data, file: SpanFile) -> Data:
    """Return the section without the settings of other formats: the project's own table may have another format."""
    plain = data.model_copy(update={"csv": Csv(), "xlsx": Xlsx()})
    section = _format_of(plain, file).section
    return plain.model_copy(update={section: getattr(data, section)}) if section else plain


def _format_of(data: Data, file: SpanFile) -> Format:
    """Return the format of a file itself, whatever is made of its columns."""
    plain = data.model_copy(update={"pictures": None, "texts": Texts()})
    return open_format(plain, replace(file, partition=()))


def _with_columns(data: Data, names: set[str], kind: str) -> Data:
    added = {name: ColumnReading.model_validate({"type": kind}) for name in sorted(names) if name not in data.columns}
    return data.model_copy(update={"columns": {**data.columns, **added}})


def _read_numbers(schema: TableSchema, features: dict[str, Feature], data: Data) -> TableSchema:
    """Read a feature of numbers as numbers where some cell is a text: only the rows of such cells are refused."""
    texts = {
        name
        for name, kind in schema.types.items()
        if name in features and not features[name].type.is_text and pa.types.is_string(kind)
    }
    forced = {name: ColumnReading(type="number") for name in texts if name not in data.columns}
    if not forced:
        return schema
    unfit = frozenset((file, name) for file, name in schema.unfit if name not in forced)
    only = Data(source=data.source, columns=forced, odd_cells="quarantine")
    return with_readings(replace(schema, unfit=unfit), only, "")


def _keep_others(schema: TableSchema, read: set[str]) -> TableSchema:
    """Leave the columns as they are written that the model does not take and no setting describes."""
    odd = ({*schema.readings} | {name for _, name in schema.unfit}) - read
    if not odd:
        return schema
    types = {name: pa.string() if name in odd else kind for name, kind in schema.types.items()}
    readings = {name: reading for name, reading in schema.readings.items() if name not in odd}
    raw = {name: kind for name, kind in schema.raw_types.items() if name not in odd}
    unfit = frozenset((file, name) for file, name in schema.unfit if name not in odd)
    return replace(schema, types=types, readings=readings, raw_types=raw, unfit=unfit)


def _check_features(signature: Signature, columns: list[str], file: str) -> None:
    for feature in signature.inputs:
        if feature.name not in columns and not feature.nullable:
            message = f"has no column {feature.name!r}, which the model requires ({feature.dtype}); {suggest(feature.name, columns)}"
            raise DataError(message, where=file, remedy="add it to the table, or name it as the model does")


def fingerprint_table(table: ScoringTable) -> str:
    """Return the fingerprint of the rows that a table gives."""
    return fingerprint_of([table.state, table.definition])
