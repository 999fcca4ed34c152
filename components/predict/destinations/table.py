"""The kinds of destinations: one line for each."""

from __future__ import annotations

from collections.abc import Callable

from components._core.errors import ConfigError
from components._core.suggestions import listed
from components._data.sources.databases import postgresql, sqlite
from components.predict.destinations.contract import Destination, Output
from components.predict.destinations.database import TableDestination, TableWriter
from components.predict.destinations.folder import FolderDestination
from components.predict.destinations.postgresql_tables import PostgreSqlTables
from components.predict.destinations.single_file import FileDestination
from components.predict.destinations.sqlite_tables import SqliteTables
from components.predict.output_formats import OUTPUT_FORMATS, find_output_format

_WHERE = "--output"
_DATABASES: dict[str, Callable[[str], TableWriter]] = {
    sqlite.SCHEME: lambda location: SqliteTables(location.removeprefix(sqlite.SCHEME)),
    postgresql.SCHEME: lambda location: PostgreSqlTables(postgresql.PostgreSql(location)),
}
"""Opens a database at a location; by the beginning of the location."""
_SCHEMES = ("file", "s3", "gs")


def open_destination(output: Output) -> Destination:
    """Open the destination at a location.

    Raises:
        ConfigError: When there is no such kind or format, or the two contradict each other.
    """
    location = output.location
    if not location.strip():
        raise ConfigError("is empty", where=_WHERE, remedy="name a file or a folder")
    if (
        opener := next((opener for prefix, opener in _DATABASES.items() if location.startswith(prefix)), None)
    ) is not None:
        if not output.table:
            remedy = "name it with --output-table: it is made, or replaced with --replace"
            raise ConfigError("which table of this database?", where=_WHERE, remedy=remedy)
        if output.format:
            raise ConfigError("a table of a database has no format", where="--format", remedy="leave it out")
        return TableDestination(opener(location), output.table, location, output.replace)
    if output.table:
        remedy = f"leave it out, or name a database: {', '.join(_DATABASES)}"
        raise ConfigError("--output-table is for databases", where=_WHERE, remedy=remedy)
    scheme = location.partition("://")[0] if "://" in location else "file"
    if scheme not in _SCHEMES:
        remedy = f"name a file or folder by its path, or one of {listed([f'{known}://' for known in _SCHEMES] + [*_DATABASES])}"
        raise ConfigError(f"predictions are not written to {scheme}://", where=_WHERE, remedy=remedy)
    ending = location.rpartition("/")[2].rpartition(".")[2].lower() if "." in location.rpartition("/")[2] else ""
    if ending in OUTPUT_FORMATS:
        if output.format not in ("", ending):
            message = f"found {output.format!r}, and the output ends in .{ending}"
            raise ConfigError(message, where="--format", remedy="leave it out, or name the output otherwise")
        return FileDestination(location, find_output_format(ending), output.replace)
    return FolderDestination(location.rstrip("/"), find_output_format(output.format or "parquet"), output.replace)
