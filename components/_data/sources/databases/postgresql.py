"""PostgreSQL through ADBC: rows arrive as Arrow batches by COPY, without a Python object for each value.

`postgresql://host/database` goes by the variables that every PostgreSQL tool knows (`PGUSER`, `PGPASSWORD`, `PGSSLMODE`,
`~/.pgpass`, ...); `postgresql://${NAME}` takes the whole connection string from the environment variable NAME. A
connection string is opened here, and appears in no message.

Each statement has a transaction of its own that may only read, and sees one state of the database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError
from components._core.extras import check_extra
from components._data.sources.batch_files import Batches
from components._data.sources.databases.contract import BATCH_BYTES, Database, Select

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "postgresql://"
_VARIABLE = re.compile(r"postgresql://\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ADDRESS = re.compile(r"postgres(?:ql)?://")
_SETTINGS = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    # the same order of rows in every run, as long as the table stays as it is
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL timezone = 'UTC'",
)
_READABLE = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "json", "jsonb"}
_READABLE |= {"date", "time", "timestamp", "timestamptz", "bytea"}
"""PostgreSQL types that arrive as what they are. Decimals are cast as `_numeric_casts` says, all others to text."""
_NUMERIC = "numeric"
_NUMERIC_CASTS = {"int64": "::int8", "string": "::text", "double": "::float8"}
"""The cast of a decimal, by the Arrow type that it gives."""
_EXACT, _LARGEST_WHOLE, _FINITE = 2**53, 2**63 - 1, "1e1000"
_TYPE = b"POSTGRESQL:type"
_DIGITS = {"year": "YYYY", "month": "YYYYMM", "day": "YYYYMMDD"}
_STATE = re.compile(r"SQLSTATE: ([0-9A-Z]{5})|^.*\[SQLSTATE ([0-9A-Z]{5})", re.MULTILINE)


@dataclass(frozen=True)
class PostgreSql(Database):
    """A PostgreSQL database.

    Attributes:
        location: The location as in `data.source`, before the variable is replaced.
    """

    location: str

    def schema(self, select: Select) -> pa.Schema:
        """See `Database`; the statement is prepared and not run, unless there are decimals: all of them are looked at."""
        import pyarrow as pa

        with self._opened() as connection:
            described = _describe(connection, select.sql)
            casts = self._numeric_casts(connection, select, described)
            fields = _describe(connection, self._statement(select, described, casts))
        return pa.schema([pa.field(field.name, field.type) for field in fields])

    def batches(self, select: Select, schema: pa.Schema) -> Batches:
        """See `Database`."""
        import pyarrow as pa

        casts = {field.name: _NUMERIC_CASTS.get(str(field.type), "") for field in schema}
        with self._opened() as connection:
            described = _describe(connection, select.sql)
            for batch in run(connection, self._statement(select, described, casts)):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self._opened() as connection:
            batches = list(run(connection, statement))
        return [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]

    def state(self, select: Select) -> str:
        """See `Database`: the number of rows and the sum of their hashes, which does not depend on their order."""
        hashed = "coalesce(sum(hashtextextended(naru_row::text, 0)::numeric), 0)::text"
        rows = f"(\n{select.sql}\n) AS naru_row"
        with self._opened() as connection:
            _describe(connection, select.sql)  # for a message about the statement as it was written
        (found,) = self.fetch(f"SELECT count(*), {hashed} FROM {rows}")
        return f"{found[0]} {found[1]}"

    @property
    def place(self) -> str:
        """See `Database`: host, port and database of a connection string from the environment, without user and password."""
        if _VARIABLE.fullmatch(self.location) is None:
            return ""
        address = urlsplit(self._address())
        named = dict(parse_qsl(address.query))
        host = address.netloc.rpartition("@")[2]
        return " ".join([host, address.path, *(named.get(key, "") for key in ("host", "hostaddr", "port", "dbname"))])

    def span_number(self, column: str, unit: str) -> str:
        """See `Database`."""
        return f"{column}::bigint" if unit == "number" else f"to_char({column}, '{_DIGITS[unit]}')::bigint"

    def _statement(self, select: Select, fields: list[pa.Field], numeric: Mapping[str, str]) -> str:
        """Return the statement of a select, with casts of the columns whose types Arrow does not have.

        Args:
            select: The select.
            fields: Its columns.
            numeric: The casts of decimals, by column.
        """
        casts = [(field.name, numeric[field.name] if _is_numeric(field) else _cast_for(field)) for field in fields]
        if not any(cast for _, cast in casts) or len({name for name, _ in casts}) < len(casts):
            return select.sql
        columns = ", ".join(f"{self.quote(name)}{cast} AS {self.quote(name)}" for name, cast in casts)
        return f"SELECT {columns} FROM (\n{select.sql}\n) AS naru_cast"

    def _numeric_casts(self, connection: Any, select: Select, fields: list[pa.Field]) -> dict[str, str]:
        """Choose the cast of each decimal: double precision, unless that would round whole numbers, as of an identifier.

        Raises:
            DataError: When a column has whole numbers that would be rounded beside numbers with decimal places.
        """
        names = [field.name for field in fields if _is_numeric(field)]
        if not names or len({field.name for field in fields}) < len(fields):
            return dict.fromkeys(names, _NUMERIC_CASTS["double"])
        counts = ", ".join(_count_numeric(self.quote(name)) for name in names)
        (found,) = run(connection, f"SELECT {counts} FROM (\n{select.sql}\n) AS naru_numeric")
        numbers = [column[0].as_py() for column in found.columns]
        return {name: self._numeric_cast(name, *numbers[3 * at : 3 * at + 3]) for at, name in enumerate(names)}

    def _numeric_cast(self, column: str, rounded: int, large: int, others: int) -> str:
        if not rounded:
            return _NUMERIC_CASTS["double"]
        if not others:
            return _NUMERIC_CASTS["string" if large else "int64"]
        message = (
            f"column {column!r} (numeric) has {rounded:,} whole numbers beyond 2^53, which double precision would round, "
            f"beside {others:,} numbers with decimal places"
        )
        remedy = f"cast it in data.sql.query: {self.quote(column)}::text for an identifier, ::float8 to round"
        raise DataError(message, where=self.location, remedy=remedy)

    @contextmanager
    def opened_for_writing(self) -> Iterator[Any]:
        """Open a connection in a transaction, which is committed at the end of the `with` block, and translate the driver's errors.

        Raises:
            ServiceError: When the database refuses the connection or the rights, or a statement fails.
            UnavailableError: When it does not answer.
        """
        with self._connected(self._translated_write) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open a connection in a transaction that reads one state, and translate the driver's errors."""
        with self._connected(self._translated) as connection:
            for setting in _SETTINGS:
                execute(connection, setting)
            yield connection

    @contextmanager
    def _connected(self, translate: Callable[[str, str | None], NaruError]) -> Iterator[Any]:
        check_extra(
            "postgresql", ["adbc_driver_manager", "adbc_driver_postgresql"], "a postgresql:// address", self.location
        )
        import adbc_driver_manager
        import adbc_driver_postgresql
        import pyarrow as pa

        try:
            database = adbc_driver_postgresql.connect(self._address())
            with database, adbc_driver_manager.AdbcConnection(database) as connection:
                connection.set_autocommit(False)
                yield connection
        except adbc_driver_manager.Error as error:
            raise translate(str(error), error.sqlstate) from None  # its cause may hold the connection string
        except (pa.ArrowException, OSError) as error:  # raised for errors while rows arrive
            raise translate(str(error), None) from None

    def _address(self) -> str:
        match = _VARIABLE.fullmatch(self.location)
        if match is None:
            return self.location
        value = os.environ.get(match[1], "")
        if not value:
            remedy = f"set {match[1]} to the connection string, as in postgresql://host:5432/database with user and password before the host"
            raise ConfigError("is not set", where=f"environment variable {match[1]}", remedy=remedy)
        return value if _ADDRESS.match(value) else f"{SCHEME}{value}"

    def _translated(self, message: str, state: str | None) -> NaruError:
        """Translate an error by its SQLSTATE. A failed connection is described by what is certainly no part of its string."""
        found = _STATE.search(message)
        state = state or (found and (found[1] or found[2])) or ""
        text = _own_words(message)
        if state[:2] in ("08", "53", "57") or (not state and "connect" in message.lower()):
            return self._connection_error(message)
        if state[:2] == "28" or state == "42501":
            remedy = "check user, password and rights: SELECT on the table, USAGE on its schema"
            return ServiceError(f"PostgreSQL refuses: {text}", where=self.location, remedy=remedy)
        if state == "25006":
            remedy = "data.sql.query must only read"
            return DataError(f"the query writes: {text}", where=self.location, remedy=remedy)
        remedy = "correct data.sql.table, data.sql.query or the column that the message names; an odd value can be cast there"
        return DataError(f"the query fails: {text}", where=self.location, remedy=remedy)

    def _translated_write(self, message: str, state: str | None) -> NaruError:
        found = _STATE.search(message)
        state = state or (found and (found[1] or found[2])) or ""
        if state[:2] in ("08", "53", "57") or (not state and "connect" in message.lower()):
            return self._connection_error(message)
        if state[:2] == "28" or state == "42501":
            remedy = (
                "check user, password and rights: CREATE on the schema, and the owner's on a table that is replaced"
            )
            return ServiceError(f"PostgreSQL refuses: {_own_words(message)}", where=self.location, remedy=remedy)
        remedy = "correct what the message names, then run again: nothing of it is in the database"
        return ServiceError(f"the table cannot be written: {_own_words(message)}", where=self.location, remedy=remedy)

    def _connection_error(self, message: str) -> NaruError:
        text = " ".join(message.split())
        fatal = re.search(
            r"FATAL:\s+((?:password authentication failed|role|database|no pg_hba\.conf entry|permission denied)[^\n]*)",
            message,
        )
        if fatal:
            remedy = "check user, password and database of the connection string (PGUSER, PGPASSWORD, PGDATABASE)"
            return ServiceError(
                f"PostgreSQL refuses the connection: {fatal[1].strip()}", where=self.location, remedy=remedy
            )
        known = re.search(
            r"connection to server at .*? failed: (?!FATAL)([^?]{1,200})|server closed the connection|terminating connection|Connection refused|timeout",
            text,
        )
        if known:
            remedy = "check that the server runs and is reachable from here, then run again"
            return UnavailableError(
                f"the database does not answer: {known[1] or known[0]}", where=self.location, remedy=remedy
            )
        remedy = "check it: postgresql://host:5432/database, with user and password before the host, special characters percent-encoded"
        return ServiceError(
            "the database cannot be reached with this connection string", where=self.location, remedy=remedy
        )


def connection_variables(location: str) -> tuple[str, ...]:
    """Return the environment variables that a connection's credentials come from: the one that a location names, or PostgreSQL's own."""
    match = _VARIABLE.fullmatch(location)
    return (match[1],) if match else ("PGUSER", "PGPASSWORD")


def _kind(field: pa.Field) -> str:
    """Return PostgreSQL's name of a column's type."""
    return str((field.metadata or {}).get(_TYPE, b"").decode())


def _is_numeric(field: pa.Field) -> bool:
    return _kind(field) == _NUMERIC


def _cast_for(field: pa.Field) -> str:
    return "" if _kind(field) in _READABLE else "::text"


def _count_numeric(column: str) -> str:
    """Return expressions for the numbers of whole values beyond 2^53, of those beyond int8, and of values that are not whole."""
    whole = f"{column} = trunc({column}) AND abs({column}) < {_FINITE}"
    conditions = (
        f"{whole} AND abs({column}) > {_EXACT}",
        f"{whole} AND abs({column}) > {_LARGEST_WHOLE}",
        f"NOT ({whole})",
    )
    return ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)


def _describe(connection: Any, statement: str) -> list[pa.Field]:
    import adbc_driver_manager
    import pyarrow as pa

    with adbc_driver_manager.AdbcStatement(connection) as prepared:
        prepared.set_sql_query(statement)
        handle = prepared.execute_schema()  # kept until it is imported: it releases what it points to
        return list(pa.Schema._import_from_c(handle.address))


def run(connection: Any, statement: str) -> Iterator[pa.RecordBatch]:
    """Run a statement, and yield its rows as they arrive."""
    import adbc_driver_manager
    import pyarrow as pa

    with adbc_driver_manager.AdbcStatement(connection) as prepared:
        prepared.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
        prepared.set_sql_query(statement)
        stream, _ = prepared.execute_query()
        # the interface of C pointers is the one that pyarrow 10 and 25 both have
        yield from pa.RecordBatchReader._import_from_c(stream.address)


def execute(connection: Any, statement: str) -> None:
    """Run a statement that gives no rows."""
    import adbc_driver_manager

    with adbc_driver_manager.AdbcStatement(connection) as prepared:
        prepared.set_sql_query(statement)
        prepared.execute_update()


def _own_words(message: str) -> str:
    """Return what PostgreSQL says in a message of the driver: `relation "x" does not exist`."""
    found = re.search(r"ERROR:\s+([^\n]+)", message)
    return (found[1] if found else message.partition("\n")[0]).strip()[:300]
