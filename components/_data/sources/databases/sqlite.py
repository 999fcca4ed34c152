"""SQLite through Python's own module, in a file of this machine: `sqlite:///data/flights.db`.

SQLite's columns have no types, its cells do. So a column's type comes from the kinds of all its cells: whole numbers, real
numbers (also beside whole ones), texts (also beside numbers), bytes. Truth values are the whole numbers 0 and 1, and dates
are texts, as SQLite keeps them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError, first_line
from components._core.files import fingerprint_of
from components._data.sources.batch_files import Batches
from components._data.sources.databases.contract import BATCH_BYTES, Database, Select

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "sqlite:///"
SECONDS_TO_WAIT = 30.0
"""How long a writer may keep the database locked."""
_CELL_BYTES = 16
_PRIMARY = 0xFF
"""The part of an error code that is not more exact than the kinds of errors here."""
_AT_A_TIME = 200
"""Columns whose kinds are counted in one pass: SQLite bounds the columns of a result."""
_KINDS = ("integer", "real", "text", "blob")
_DIGITS = {"year": "%Y", "month": "%Y%m", "day": "%Y%m%d"}


@dataclass(frozen=True)
class Sqlite(Database):
    """A SQLite file, opened for reading.

    Attributes:
        path: Path of the file.
    """

    path: str

    def schema(self, select: Select) -> pa.Schema:
        """See `Database`; every row is looked at."""
        import pyarrow as pa

        with self._opened() as connection:
            names = _columns(connection, select.sql)
            kinds = [kind for start in range(0, len(names), _AT_A_TIME) for kind in self._kinds(connection, select, names[start : start + _AT_A_TIME])]  # fmt: skip
        return pa.schema(
            [pa.field(name, _type_of(name, found, self.path)) for name, found in zip(names, kinds, strict=True)]
        )

    def batches(self, select: Select, schema: pa.Schema) -> Batches:
        """See `Database`."""
        import pyarrow as pa

        rows = max(BATCH_BYTES // (_CELL_BYTES * max(len(schema.names), 1)), 1_000)
        with self._opened() as connection:
            cursor = connection.execute(select.sql)
            while found := cursor.fetchmany(rows):
                columns = zip(*found, strict=True)
                yield pa.RecordBatch.from_arrays(
                    [_to_array(values, field, self.path) for values, field in zip(columns, schema, strict=True)],
                    schema=schema,
                )

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self._opened() as connection:
            return connection.execute(statement).fetchall()

    def state(self, select: Select) -> str:
        """See `Database`: the state of the file and of its write-ahead log, so a change of another table counts, too."""
        files = [Path(self.path), Path(f"{self.path}-wal")]
        status = [file.stat() for file in files if file.exists()]
        return fingerprint_of(f"{one.st_size} {one.st_mtime_ns} {one.st_ctime_ns} {one.st_ino}" for one in status)

    def quote(self, name: str) -> str:
        """Quote one name: in double quotes, an unknown one would be a text."""
        return "`" + name.replace("`", "``") + "`"

    def span_number(self, column: str, unit: str) -> str:
        """See `Database`."""
        return column if unit == "number" else f"CAST(strftime('{_DIGITS[unit]}', {column}) AS INTEGER)"

    def _kinds(self, connection: sqlite3.Connection, select: Select, names: list[str]) -> list[dict[str, int]]:
        """Count the cells of each kind in some columns."""
        quoted = [self.quote(name) for name in names]
        counts = ", ".join(f"sum(typeof({column}) = '{kind}')" for column in quoted for kind in _KINDS)
        found = connection.execute(select.compute(counts)).fetchone()
        each = [found[start : start + len(_KINDS)] for start in range(0, len(found), len(_KINDS))]
        return [{kind: count for kind, count in zip(_KINDS, one, strict=True) if count} for one in each]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file read-only, and translate SQLite's errors."""
        if not Path(self.path).is_file():
            remedy = "correct data.source; it is relative to project.yaml"
            raise DataError("there is no such file", where=self.path, remedy=remedy)
        try:
            address = f"file:{quote(str(Path(self.path).absolute()))}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=SECONDS_TO_WAIT)) as connection:
                yield connection
        except sqlite3.Error as error:
            if found := translate_error(error, self.path):
                raise found from error
            message = f"the query fails: {first_line(error)}"
            remedy = "correct data.sql.table, data.sql.query or the column that the message names"
            raise DataError(message, where=self.path, remedy=remedy) from error


def translate_error(error: sqlite3.Error, path: str) -> NaruError | None:
    """Return the error for what is wrong with a file, which is read or written; None: something is wrong with the statement.

    Args:
        error: SQLite's error.
        path: The file.
    """
    code, message = getattr(error, "sqlite_errorcode", 0) & _PRIMARY, first_line(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        remedy = "another process holds the database: run again when it has finished"
        return UnavailableError(message, where=path, remedy=remedy)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return DataError(
            f"cannot be read as SQLite: {message}", where=path, remedy="name a database of SQLite, or restore the file"
        )
    if code == sqlite3.SQLITE_FULL:
        return ServiceError(message, where=path, remedy="make room on its disk, then run again")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        remedy = "allow this user to read it, and to write it and its folder where it is an output"
        return ConfigError(message, where=path, remedy=remedy)
    if code == sqlite3.SQLITE_IOERR:
        return ServiceError(message, where=path, remedy="check its disk, then run again")
    return None


def open_database(location: str) -> Sqlite:
    """Open the file of a location such as `sqlite:////data/flights.db`."""
    return Sqlite(location.removeprefix(SCHEME))


def _columns(connection: sqlite3.Connection, statement: str) -> list[str]:
    with closing(connection.execute(statement)) as cursor:
        return [str(column[0]) for column in cursor.description]


def _type_of(name: str, found: dict[str, int], path: str) -> pa.DataType:
    import pyarrow as pa

    if "blob" in found:
        if len(found) > 1:
            message = f"column {name!r} has bytes beside other values ({', '.join(found)})"
            raise DataError(message, where=path, remedy="cast it in data.sql.query, as in CAST(x AS TEXT)")
        return pa.binary()
    if not found or "text" in found:
        return pa.string()
    return pa.float64() if "real" in found else pa.int64()


def _to_array(values: tuple[Any, ...], field: pa.Field, path: str) -> pa.Array:
    import pyarrow as pa

    try:
        if pa.types.is_string(field.type):
            values = tuple(value if value is None or isinstance(value, str) else str(value) for value in values)
        elif pa.types.is_float64(field.type):
            values = tuple(None if value is None else float(value) for value in values)
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError) as error:
        message = f"column {field.name!r} got other values while it was read: {str(error).partition(chr(10))[0]}"
        raise DataError(message, where=path, remedy="run again when the writer has finished") from error
