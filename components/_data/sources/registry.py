"""The table of sources: one line for each kind that is not a file by its path or URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.picture_config import DEFAULT_COLUMN, PICTURES_SCHEME, WEBDATASET_SCHEME
from components._core.project.table_config import Sql
from components._core.project.text_config import TEXT, TEXTS_SCHEME
from components._core.types.span_units import UNITS, SpanUnit
from components._data.sources import delta, kept_dataset
from components._data.sources.contract import Source
from components._data.sources.databases import bigquery, postgresql, sqlite
from components._data.sources.databases.contract import Database
from components._data.sources.databases.query_source import QuerySource
from components._data.sources.file_rows import FileRowsSource
from components._data.sources.files import FileSource
from components._data.sources.span_expression import MissingSpans
from components._data.sources.span_pattern import unit_of
from components._data.sources.webdataset import WebDatasetSource

_Opener = TypeVar("_Opener", bound=Callable[[str], object])

DATABASES: dict[str, Callable[[str], Database]] = {}
"""Opens a database at a location; by the beginning of the location."""
TABLE_FORMATS: dict[str, Callable[[str], Source]] = {}
"""Opens a table with a log of its versions at a location; by the beginning of the location."""
EXTRAS = {
    "gs://": "gcs",
    postgresql.SCHEME: "postgresql",
    bigquery.SCHEME: "bigquery",
    delta.SCHEME: "delta",
}
"""The extra of `pyproject.toml` with the packages of a source, which an image has where it was built in; by the beginning of the location."""
_BEFORE_PATHS = (sqlite.SCHEME, delta.SCHEME, PICTURES_SCHEME, TEXTS_SCHEME, WEBDATASET_SCHEME)
"""Beginnings of locations after which a path may follow."""


def register(table: dict[str, _Opener], prefix: str, opener: _Opener) -> None:
    """Add a kind of sources to a table.

    Raises:
        ValueError: When the prefix is taken.
    """
    if prefix in DATABASES or prefix in TABLE_FORMATS:
        raise ValueError(f"duplicate source {prefix!r}")
    table[prefix] = opener


def open_source(location: str, missing_spans: MissingSpans = "fail", sql: Sql | None = None) -> Source:
    """Open the source at a location.

    Args:
        location: Location as in `data.source`: a path or URL, with placeholders of spans (`span_pattern.py`), or a database.
        missing_spans: Whether a span that an expression names must exist, as in `data.missing_spans`.
        sql: What of a database is the table, as in `data.sql`.

    Raises:
        ConfigError: When it is a database without a table, or a table is named and it is not a database.
    """
    database = _find(location, DATABASES)
    if database is None:
        _check_no_sql(location, sql)
        table_format = _find(location, TABLE_FORMATS)
        return table_format(location) if table_format else FileSource(location, missing_spans)
    if sql is None:
        remedy = "set data.sql.table to its name, or data.sql.query to a SELECT"
        raise ConfigError(f"{location} is a database: which table?", where="data.sql", remedy=remedy)
    return QuerySource(database(location), sql, missing_spans)


def connection_variables(location: str) -> tuple[str, ...]:
    """Return the environment variables with the credentials of a source's connection; a cluster gives them to the stage that reads it."""
    return postgresql.connection_variables(location) if location.startswith(postgresql.SCHEME) else ()


def is_database(location: str) -> bool:
    """Return whether a location is a database, of which `data.sql` names the table."""
    return _find(location, DATABASES) is not None


def is_of_files(location: str) -> bool:
    """Return whether a location is a file, a folder or a pattern, by path or URL."""
    return not (_find(location, DATABASES) or _find(location, TABLE_FORMATS))


def span_unit(data: Data) -> SpanUnit | None:
    """Return the unit of the spans of a project's source; None when it has none."""
    if _find(data.source, DATABASES):
        return UNITS[data.sql.span_unit] if data.sql and data.sql.span_column else None
    return unit_of(data.source)


def absolute_location(location: str, folder: Path) -> str:
    """Return a location with a relative path resolved from a folder; any other location unchanged."""
    if not is_relative(location):
        return location
    before = path_prefix(location)
    return f"{before}{(folder / location.removeprefix(before)).absolute()}"


def location_in_store(location: str, folder: str) -> str:
    """Return a relative location below a folder of the store; any other location unchanged.

    So is a relative SQLite file, which a store cannot hold: `is_relative` still says so.
    """
    if not is_relative(location) or location.startswith(sqlite.SCHEME):
        return location
    before = path_prefix(location)
    return f"{before}{folder}/{location.removeprefix(before).removeprefix('./')}"


def is_relative(location: str) -> bool:
    """Return whether a location is a relative path, which depends on where it is read."""
    path = location.removeprefix(path_prefix(location))
    return "://" not in path and not Path(path).is_absolute()


def path_prefix(location: str) -> str:
    """Return what stands before the path in a location such as `sqlite:///data/t.db`; empty: nothing does."""
    return next((prefix for prefix in _BEFORE_PATHS if location.startswith(prefix)), "")


def _find(location: str, table: Mapping[str, _Opener]) -> _Opener | None:
    return next((opener for prefix, opener in table.items() if location.startswith(prefix)), None)


def _check_no_sql(location: str, sql: Sql | None) -> None:
    if sql is not None:
        kinds = ", ".join(DATABASES)
        remedy = f"remove data.sql, or name a database in data.source ({kinds})"
        raise ConfigError(f"is for databases, and the source is {location!r}", where="data.sql", remedy=remedy)


register(DATABASES, sqlite.SCHEME, sqlite.open_database)
register(DATABASES, postgresql.SCHEME, postgresql.PostgreSql)
register(DATABASES, bigquery.SCHEME, bigquery.BigQuery)
register(TABLE_FORMATS, delta.SCHEME, delta.DeltaSource)
register(TABLE_FORMATS, PICTURES_SCHEME, lambda at: FileRowsSource(at.removeprefix(PICTURES_SCHEME), DEFAULT_COLUMN))
register(TABLE_FORMATS, TEXTS_SCHEME, lambda at: FileRowsSource(at.removeprefix(TEXTS_SCHEME), TEXT))
register(TABLE_FORMATS, WEBDATASET_SCHEME, lambda at: WebDatasetSource(at.removeprefix(WEBDATASET_SCHEME)))
register(TABLE_FORMATS, kept_dataset.SCHEME, kept_dataset.KeptDatasetSource)
