"""The table of sources: one line for each kind that is not a file by its path or URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.data_config import Data, Sql
from components._core.types.span_units import UNITS, SpanUnit
from components._data.sources.contract import Source
from components._data.sources.databases import postgresql, sqlite
from components._data.sources.databases.contract import Database
from components._data.sources.databases.query_source import QuerySource
from components._data.sources.files import FileSource
from components._data.sources.span_expression import MissingSpans
from components._data.sources.span_pattern import unit_of

DATABASES: dict[str, Callable[[str], Database]] = {}
"""Opens a database by its location; by the beginning of the location."""


def register_database(prefix: str, opener: Callable[[str], Database]) -> None:
    """Add a database to the table.

    Raises:
        ValueError: When the prefix is taken.
    """
    if prefix in DATABASES:
        raise ValueError(f"duplicate source {prefix!r}")
    DATABASES[prefix] = opener


def open_source(location: str, missing_spans: MissingSpans = "fail", sql: Sql | None = None) -> Source:
    """Open the source at a location.

    Args:
        location: Location as in `data.source`: a path or URL, with placeholders of spans (`span_pattern.py`), or a database.
        missing_spans: Whether a span that an expression names must exist, as in `data.missing_spans`.
        sql: What of a database is the table, as in `data.sql`.

    Raises:
        ConfigError: When it is a database without a table, or a table is named and it is not a database.
    """
    opener = _database(location)
    if opener is None:
        _check_no_sql(location, sql)
        return FileSource(location, missing_spans)
    if sql is None or not (sql.table or sql.query):
        remedy = "set data.sql.table to its name, or data.sql.query to a SELECT"
        raise ConfigError(f"{location} is a database: which table?", where="data.sql", remedy=remedy)
    return QuerySource(opener(location), sql, missing_spans)


def span_unit(data: Data) -> SpanUnit | None:
    """Return the unit of the spans of a project's source; None when it has none."""
    if _database(data.source):
        return UNITS[data.sql.span_unit] if data.sql.span_column else None
    return unit_of(data.source)


def absolute_location(location: str, folder: Path) -> str:
    """Return a location with a relative path resolved from a folder; any other location unchanged."""
    if location.startswith(sqlite.SCHEME):
        return f"{sqlite.SCHEME}{(folder / location.removeprefix(sqlite.SCHEME)).absolute()}"
    if "://" in location or Path(location).is_absolute():
        return location
    return str((folder / location).absolute())


def _database(location: str) -> Callable[[str], Database] | None:
    return next((opener for prefix, opener in DATABASES.items() if location.startswith(prefix)), None)


def _check_no_sql(location: str, sql: Sql | None) -> None:
    if sql is not None and sql != Sql():
        kinds = ", ".join(DATABASES)
        remedy = f"remove data.sql, or name a database in data.source ({kinds})"
        raise ConfigError(f"is for databases, and the source is {location!r}", where="data.sql", remedy=remedy)


register_database(sqlite.SCHEME, sqlite.open_database)
register_database(postgresql.SCHEME, postgresql.PostgreSql)
