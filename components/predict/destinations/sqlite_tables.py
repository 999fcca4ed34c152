"""SQLite as a destination, through Python's own module."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from components._core.errors import ServiceError, first_line
from components._data.sources.databases import sqlite
from components.predict.destinations.database import RECORDS, STAGING, TableWriter

_TYPES = ((pa.types.is_integer, "INTEGER"), (pa.types.is_boolean, "INTEGER"), (pa.types.is_floating, "REAL"))


@dataclass(frozen=True)
class SqliteTables(TableWriter):
    """A SQLite file; it is made when it is not there.

    Attributes:
        path: Path of the file.
    """

    path: str

    def find(self, table: str) -> tuple[bool, str | None]:
        """See `TableWriter`."""
        if not Path(self.path).exists():
            return False, None
        with self._opened() as connection:
            record = None
            if _has(connection, RECORDS):
                found = connection.execute(
                    f"SELECT manifest FROM {RECORDS} WHERE table_name = ? COLLATE NOCASE",  # noqa: S608 - a name of our own
                    [table],
                ).fetchone()
                record = str(found[0]) if found else None
            return _has(connection, table), record

    def write(self, tables: dict[str, Iterator[pa.Table]], removed: list[str], table: str, manifest: str) -> None:
        """See `TableWriter`; readers are kept waiting only while the tables get their names."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as connection:
            for name, parts in tables.items():
                _fill(connection, name + STAGING, parts)
            with connection:  # one transaction
                connection.execute("BEGIN IMMEDIATE")
                for name in [*tables, *removed]:
                    connection.execute(f"DROP TABLE IF EXISTS {_quote(name)}")
                for name in tables:
                    connection.execute(f"ALTER TABLE {_quote(name + STAGING)} RENAME TO {_quote(name)}")
                connection.execute(f"CREATE TABLE IF NOT EXISTS {RECORDS} (table_name TEXT PRIMARY KEY, manifest TEXT)")
                connection.execute(f"DELETE FROM {RECORDS} WHERE table_name = ? COLLATE NOCASE", [table])  # noqa: S608
                connection.execute(f"INSERT INTO {RECORDS} VALUES (?, ?)", [table, manifest])  # noqa: S608 - our own

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(
                sqlite3.connect(self.path, timeout=sqlite.SECONDS_TO_WAIT, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.Error as error:
            if found := sqlite.translate_error(error, self.path):
                raise found from error
            message, remedy = (
                f"the table cannot be written: {first_line(error)}",
                "correct what the message names, then run again",
            )
            raise ServiceError(message, where=self.path, remedy=remedy) from error


def _fill(connection: sqlite3.Connection, name: str, parts: Iterator[pa.Table]) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {_quote(name)}")
    for number, part in enumerate(parts):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if number == 0:
                columns = ", ".join(f"{_quote(field.name)} {_type_of(field.type)}" for field in part.schema)
                connection.execute(f"CREATE TABLE {_quote(name)} ({columns})")
            marks = ", ".join("?" * part.num_columns)
            rows = zip(*(column.to_pylist() for column in part.columns), strict=True)
            connection.executemany(f"INSERT INTO {_quote(name)} VALUES ({marks})", rows)  # noqa: S608 - quoted


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether there is a table or view of this name, as SQLite compares names: without regard to case."""
    query = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE"
    return connection.execute(query, [table]).fetchone() is not None


def _type_of(kind: pa.DataType) -> str:
    return next((name for is_kind, name in _TYPES if is_kind(kind)), "TEXT")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
