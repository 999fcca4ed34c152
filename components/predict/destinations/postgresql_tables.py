"""PostgreSQL as a destination, through ADBC: rows go by COPY, and all of it is one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from components._data.sources.databases.postgresql import PostgreSql, execute, run
from components.predict.destinations.database import RECORDS, STAGING, TableWriter


@dataclass(frozen=True)
class PostgreSqlTables(TableWriter):
    """A PostgreSQL database.

    Attributes:
        database: The database.
    """

    database: PostgreSql
    longest_name: ClassVar[int] = 63

    def find(self, table: str) -> tuple[bool, str | None]:
        """See `TableWriter`."""
        with self.database.opened_for_writing() as connection:
            is_there = self._has(connection, table)
            if not self._has(connection, RECORDS):
                return is_there, None
            batches = list(
                run(
                    connection,
                    f"SELECT manifest FROM {RECORDS} WHERE table_name = {_text(table)}",  # noqa: S608 - quoted
                )
            )
        found = [str(value) for batch in batches for value in batch.column(0).to_pylist()]
        return is_there, found[0] if found else None

    def write(self, tables: dict[str, Iterator[pa.Table]], removed: list[str], table: str, manifest: str) -> None:
        """See `TableWriter`."""
        with self.database.opened_for_writing() as connection:
            for name, parts in tables.items():
                self._fill(connection, name + STAGING, parts)
            for name in [*tables, *removed]:
                execute(connection, f"DROP TABLE IF EXISTS {self.database.quote_table(name)}")
            for name in tables:
                last = self.database.quote(name.rpartition(".")[2])
                execute(connection, f"ALTER TABLE {self.database.quote_table(name + STAGING)} RENAME TO {last}")
            execute(connection, f"CREATE TABLE IF NOT EXISTS {RECORDS} (table_name text PRIMARY KEY, manifest text)")
            execute(connection, f"DELETE FROM {RECORDS} WHERE table_name = {_text(table)}")  # noqa: S608 - quoted
            values = f"({_text(table)}, {_text(manifest)})"
            execute(connection, f"INSERT INTO {RECORDS} VALUES {values}")  # noqa: S608 - quoted

    def _fill(self, connection: Any, name: str, parts: Iterator[pa.Table]) -> None:
        import adbc_driver_manager

        execute(connection, f"DROP TABLE IF EXISTS {self.database.quote_table(name)}")
        schema, _, last = name.rpartition(".")
        for number, part in enumerate(parts):
            options = {
                "adbc.ingest.target_table": last,
                "adbc.ingest.mode": f"adbc.ingest.mode.{'append' if number else 'create'}",
                **({"adbc.ingest.target_db_schema": schema} if schema else {}),
            }
            with adbc_driver_manager.AdbcStatement(connection) as statement:
                statement.set_options(**options)
                handle = adbc_driver_manager.ArrowArrayStreamHandle()
                reader = pa.RecordBatchReader.from_batches(part.schema, part.to_batches())
                # the interface of C pointers is the one that pyarrow 10 and 25 both have
                reader._export_to_c(handle.address)
                statement.bind_stream(handle)
                statement.execute_update()

    def _has(self, connection: Any, table: str) -> bool:
        name = _text(self.database.quote_table(table))
        (batch,) = run(connection, f"SELECT to_regclass({name}) IS NOT NULL")
        return bool(batch.column(0)[0].as_py())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
