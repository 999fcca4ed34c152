"""A table or query of a database as a source; a span is a range of a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from components._core.errors import ConfigError, DataError
from components._core.files import fingerprint_of
from components._core.project.table_config import Sql
from components._core.types.span_units import NUMBER, UNITS, SpanUnit
from components._data.sources.batch_files import FORMAT, Batches, BatchFiles
from components._data.sources.contract import SpanFile
from components._data.sources.databases.contract import Database, Select
from components._data.sources.span_expression import MissingSpans, parse_spans

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_SPANS = 100_000


@dataclass(frozen=True)
class QuerySource:
    """A table or query.

    Attributes:
        database: The database.
        sql: What of it is the table.
        missing_spans: Whether a span that an expression names must exist.
    """

    database: Database
    sql: Sql
    missing_spans: MissingSpans = "fail"

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`. A file is the result of a select.

        Raises:
            ConfigError: When the connection, the table or the spans are invalid.
            DataError: When a table, column or span does not exist, or the query fails.
            ServiceError: When the database refuses the connection, or the table to this user.
            UnavailableError: When it does not answer.
        """
        selects = self._selects(spans)
        files = BatchFiles(_Reader(self.database, {name: select for _, name, select in selects}))
        return [SpanFile(span, name, files, name, format=FORMAT) for span, name, _ in selects]

    def fingerprint(self, spans: str) -> str:
        """See `Source`.

        It covers the database, the statements and, for each, what `Database.state` says: with `data.sql.version_column` the number of rows
        and the column's largest value, else a hash over every row, which is taken inside the database.
        """
        parts = [self.database.place] if self.database.place else []
        for span, name, select in self._selects(spans):
            parts += [f"{span} {name}", select.sql, self._state(select)]
        return fingerprint_of(parts)

    def state(self, file: SpanFile) -> str:
        """See `Source`: found only with `data.sql.version_column`; without it, every row would be hashed."""
        if self.unit is None or not self.sql.version_column:
            return ""
        select = self._within(self._whole, file.span, self.unit)
        return f"{self.database.place} {select.sql} {self._state(select)}"

    @property
    def unit(self) -> SpanUnit | None:
        """Unit of the spans; None when the source has none."""
        return UNITS[self.sql.span_unit] if self.sql.span_column else None

    def _state(self, select: Select) -> str:
        if not self.sql.version_column:
            return self.database.state(select)
        column = self.database.quote(self.sql.version_column)
        (found,) = self.database.fetch(select.compute(f"count(*), max({column})"))
        return f"{found[0]} {found[1]}"

    def _selects(self, spans: str) -> list[tuple[int, str, Select]]:
        """Return span, name and select of each file."""
        expression = parse_spans(spans, self.unit)
        whole = self._whole
        name = self.sql.table or "query"
        if self.unit is None:
            return [(1, name, whole)]
        chosen = expression.select(self._list_spans(whole), self.missing_spans)
        return [(span, f"{name} {self.unit.label(span)}", self._within(whole, span, self.unit)) for span in chosen]

    @property
    def _whole(self) -> Select:
        query = self.sql.query.strip().rstrip(";").strip()
        return Select(self.database.quote_table(self.sql.table) if self.sql.table else "", query)

    def _list_spans(self, whole: Select) -> list[int]:
        column = self.database.quote(self.sql.span_column)
        number = self.database.span_number(column, self.sql.span_unit)
        found = self.database.fetch(f"{whole.compute(f'{number}, count(*)')} GROUP BY 1 LIMIT {_MOST_SPANS + 1}")
        self._check_spans(found)
        if not found:
            raise DataError("has no rows", where=self._where, remedy="nothing can be learned from it; check the table")
        return sorted(int(span) for span, _ in found)

    def _check_spans(self, found: list[tuple[object, ...]]) -> None:
        if len(found) > _MOST_SPANS:
            remedy = "name a column with fewer values, or set data.sql.span_unit"
            raise ConfigError(f"more than {_MOST_SPANS:,} spans", where="data.sql.span_column", remedy=remedy)
        for span, rows in found:
            if span is None:
                remedy = f"leave such rows out in data.sql.query: WHERE {self.sql.span_column} IS NOT NULL"
                raise DataError(
                    f"{rows} rows belong to no span: the value is missing", where=self._where, remedy=remedy
                )

    def _within(self, whole: Select, span: int, unit: SpanUnit) -> Select:
        column = self.database.quote(self.sql.span_column)
        if unit is NUMBER:
            return replace(whole, where=f"{column} = {span}")
        first, following = (_first_day(unit, unit.position(span) + step) for step in (0, 1))
        return replace(whole, where=f"{column} >= '{first}' AND {column} < '{following}'")

    @property
    def _where(self) -> str:
        return f"{self.sql.table or 'data.sql.query'}, column {self.sql.span_column!r}"


class _Reader:
    """Reads the results of selects by their names. Every span has the types of the whole table, which are found once."""

    def __init__(self, database: Database, selects: Mapping[str, Select]) -> None:
        self._database = database
        self._selects = selects
        self._schemas: dict[Select, pa.Schema] = {}

    def __call__(self, name: str) -> tuple[pa.Schema, Batches]:
        select = self._selects[name]
        if select.whole not in self._schemas:
            self._schemas[select.whole] = self._database.schema(select.whole)
        schema = self._schemas[select.whole]
        return schema, self._database.batches(select, schema)


def _first_day(unit: SpanUnit, position: int) -> str:
    """Return the first day of a span, as in `2024-06-01`."""
    return "-".join([*unit.label(unit.at(position)).split("-"), "01", "01"][:3])
