"""PostgreSQL as a source, on a real server."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.databases import postgresql
from components._data.sources.databases.contract import Select
from components._data.sources.databases.query_source import QuerySource
from components._data.sources.registry import open_source
from tests.components.data.sources.databases.postgresql_server import ENCODED, PASSWORD, PostgreSqlServer, serving
from tests.components.data.sources.databases.reading import fingerprint, read

pytestmark = pytest.mark.slow

SOURCE = "postgresql://${FLIGHTS_DATABASE}"
KINDS = """
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE TABLE kinds (
  y int, small smallint, big bigint, single real, real double precision, price numeric(12, 2), word text, code varchar(5),
  truth boolean, day date, at timestamp, instant timestamptz, clock time, raw bytea, id uuid, doc jsonb, feeling mood,
  several int[], address inet, span interval
);
INSERT INTO kinds VALUES
  (1, 2, 9007199254740993, 1.5, 0.1, 12.34, 'ü', '007', true, '2024-01-31', '2024-01-31 10:00:00.5', '2024-01-31 10:00:00+02',
   '10:00', '\\x01ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'high', '{1,2}', '10.0.0.1', '1 day');
INSERT INTO kinds (y, day) VALUES (2, '2024-02-01');
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSqlServer]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # below no folder that only its owner may enter
        Path(folder).chmod(0o755)
        with serving(Path(folder)) as server:
            server.run(KINDS)
            server.run(
                "CREATE TABLE many AS SELECT n AS id, n % 12 + 1 AS month, n * 0.5::float8 AS x, 'text ' || n AS word, "
                "now() AS updated FROM generate_series(1, 200000) n"
            )
            yield server


@pytest.fixture(autouse=True)
def connection(server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTS_DATABASE", server.url)


def test_values_keep_their_types_and_those_that_arrow_lacks_are_texts() -> None:
    rows = read(SOURCE, "y", sql={"table": "public.kinds"})[1]
    types = {field.name: str(field.type) for field in rows.schema}
    assert types == {
        "y": "int64", "small": "int64", "big": "int64", "single": "float", "real": "double", "price": "double",
        "word": "string", "code": "string", "truth": "bool", "day": "date32[day]", "at": "timestamp[us]",
        "instant": "timestamp[us, tz=UTC]", "clock": "string", "raw": "binary", "id": "string", "doc": "string",
        "feeling": "string", "several": "string", "address": "string", "span": "string",
    }  # fmt: skip
    first = rows.slice(0, 1).to_pylist()[0]
    assert (first["big"], first["real"], first["price"], first["code"]) == (2**53 + 1, 0.1, 12.34, "007")
    assert (first["raw"], first["feeling"], first["several"]) == (b"\x01\xff", "high", "{1,2}")
    assert str(first["instant"]) == "2024-01-31 08:00:00+00:00" and first["id"].startswith("a0eebc99-")
    assert rows.slice(1).to_pylist()[0]["word"] is None


def test_a_decimal_is_never_rounded_where_it_is_a_whole_number(server: PostgreSqlServer) -> None:
    server.run(
        "CREATE TABLE decimals (y int, small numeric, id numeric(19), long numeric(30), price numeric(16, 2), odd numeric);"
        "INSERT INTO decimals VALUES (1, 12, 9007199254740993, 123456789012345678901234567890, 1.25, 'NaN'),"
        " (2, NULL, -9223372036854775807, 5, NULL, 0.5), (3, 9007199254740992, NULL, NULL, 9007199254740.01, 7)"
    )
    sql = {"table": "decimals", "span_column": "y"}
    found = read(SOURCE, "y", "all", sql=sql)
    assert {name: str(found[1].schema.field(name).type) for name in ("small", "id", "long", "price", "odd")} == {
        "small": "double", "id": "int64", "long": "string", "price": "double", "odd": "double",
    }  # fmt: skip
    assert [rows["id"].to_pylist()[0] for rows in found.values()] == [2**53 + 1, -(2**63) + 1, None]
    assert [rows["long"].to_pylist()[0] for rows in found.values()] == ["123456789012345678901234567890", "5", None]
    server.run("INSERT INTO decimals VALUES (4, 9007199254740993, 1, 1, 1, 1), (5, 0.5, 1, 1, 1, 1)")
    with pytest.raises(
        DataError, match=r"column 'small' \(numeric\) has 1 whole numbers beyond 2\^53(.|\n)*\"small\"::text"
    ):
        read(SOURCE, "y", "all", sql=sql)
    query = "SELECT y, small::text AS small, odd::float8 AS odd FROM decimals"
    assert read(SOURCE, "y", sql={"query": query})[1]["small"].to_pylist()[3] == "9007199254740993"


def test_rows_stream_in_batches_and_in_the_order_of_the_query() -> None:
    one = postgresql.PostgreSql(SOURCE)
    select = Select(query="SELECT id, word, x, updated FROM many ORDER BY id DESC")
    batches = list(one.batches(select, one.schema(select)))
    assert len(batches) > 1 and max(batch.nbytes for batch in batches) < 2 * postgresql.BATCH_BYTES
    assert [n for batch in batches for n in batch.column(0).to_pylist()] == list(range(200_000, 0, -1))


def test_spans_are_numbers_or_dates_of_a_column() -> None:
    found = read(SOURCE, "x", "last 2", sql={"table": "many", "span_column": "month"})
    assert {span: rows.num_rows for span, rows in found.items()} == {11: 16_666, 12: 16_666}
    found = read(
        SOURCE, "y", sql={"query": "SELECT y, day FROM kinds -- all", "span_column": "day", "span_unit": "day"}
    )
    assert {span: rows["y"].to_pylist() for span, rows in found.items()} == {20240131: [1], 20240201: [2]}


def test_the_fingerprint_follows_the_rows_and_not_their_order(server: PostgreSqlServer) -> None:
    server.run("CREATE TABLE changing AS SELECT id, x, updated FROM many WHERE id <= 100")
    before = fingerprint(SOURCE, sql={"table": "changing"})
    server.run("CREATE TABLE moved AS SELECT * FROM changing ORDER BY id DESC")
    server.run("ALTER TABLE changing RENAME TO old", "ALTER TABLE moved RENAME TO changing")
    assert fingerprint(SOURCE, sql={"table": "changing"}) == before
    versioned = fingerprint(SOURCE, sql={"table": "changing", "version_column": "updated"})
    server.run("UPDATE changing SET x = 0.25 WHERE id = 7")
    assert fingerprint(SOURCE, sql={"table": "changing"}) != before
    assert fingerprint(SOURCE, sql={"table": "changing", "version_column": "updated"}) == versioned
    server.run("UPDATE changing SET updated = now() WHERE id = 7")
    assert fingerprint(SOURCE, sql={"table": "changing", "version_column": "updated"}) != versioned


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ({"table": "none"}, 'the query fails: relation "none" does not exist'),
        ({"query": "SELEC 1"}, 'the query fails: syntax error at or near "SELEC"'),
        ({"query": "SELECT 1 / (id - 150000) AS y FROM many"}, "the query fails: division by zero"),
        ({"query": "INSERT INTO kinds (y) VALUES (9) RETURNING y"}, "the query writes: cannot execute INSERT"),
        ({"table": "many", "span_column": "none"}, 'the query fails: column "none" does not exist'),
        ({"query": "SELECT id, id FROM many"}, "duplicate column 'id'"),
    ],
)
def test_a_query_that_fails_is_bad_data_with_its_reason(sql: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(SOURCE, "y", sql=sql)
    _check_no_secret(caught.value)


def test_a_table_without_rights_is_refused(server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    monkeypatch.setenv("FLIGHTS_DATABASE", f"postgresql://guest:guest@127.0.0.1:{server.port}/flights")
    with pytest.raises(ServiceError, match="PostgreSQL refuses: permission denied for table kinds"):
        read(SOURCE, "y", sql={"table": "kinds"})


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("postgresql://naru:wrong-{secret}@127.0.0.1:{port}/flights", ServiceError, "password authentication failed"),
        ("postgresql://naru:{secret}@127.0.0.1:{port}/none", ServiceError, 'database "none" does not exist'),
        ("postgresql://naru:{secret}@127.0.0.1:9/flights", UnavailableError, "does not answer: Connection refused"),
        (
            "postgresql://naru:p@ss/{secret}@127.0.0.1:{port}/flights",
            ServiceError,
            "cannot be reached with this connection",
        ),
        (
            "postgresql://naru:{secret}%zz@127.0.0.1:{port}/flights",
            ServiceError,
            "cannot be reached with this connection",
        ),
        ("postgresql://naru:{secret}@127.0.0.1:po:rt/flights", ServiceError, "cannot be reached with this connection"),
    ],
)
def test_a_connection_that_fails_is_reported_without_its_string(
    server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch, url: str, kind: type[NaruError], message: str
) -> None:
    monkeypatch.setenv("FLIGHTS_DATABASE", url.replace("{port}", str(server.port)).replace("{secret}", ENCODED))
    with pytest.raises(kind, match=message) as caught:
        read(SOURCE, "y", sql={"table": "kinds"})
    _check_no_secret(caught.value)


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLIGHTS_DATABASE")
    with pytest.raises(ConfigError, match="environment variable FLIGHTS_DATABASE: is not set"):
        read(SOURCE, "y", sql={"table": "kinds"})


def test_the_variables_of_postgresql_work_without_a_connection_string(
    server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGUSER": "naru", "PGPASSWORD": PASSWORD, "PGPORT": str(server.port)}.items():
        monkeypatch.setenv(name, value)
    assert read("postgresql://127.0.0.1/flights", "y", sql={"table": "kinds"})[1].num_rows == 2


def test_a_connection_that_ends_in_the_middle_is_unavailable(server: PostgreSqlServer) -> None:
    data = Data.model_validate(
        {"source": SOURCE, "sql": {"query": "SELECT id, word, x FROM many, generate_series(1, 20)"}}
    )
    (file,) = open_source(SOURCE, sql=data.sql).list_files("all")
    table = open_format(data, file)
    rows = table.read_rows(file, table.infer_schema([file], "x"), "x", print)
    next(rows)
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")
    with pytest.raises(UnavailableError) as caught:
        list(rows)
    _check_no_secret(caught.value)


def test_a_query_that_is_not_read_to_its_end_leaves_no_connection(server: PostgreSqlServer) -> None:
    source = open_source(SOURCE, sql=Data.model_validate({"source": SOURCE, "sql": {"table": "many"}}).sql)
    assert isinstance(source, QuerySource)
    (file,) = source.list_files("all")
    with file.open() as stream:
        stream.read(1 << 16)
    assert (
        server.run("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()") == "0"
    )


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components._core.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed: adbc_driver_manager") as caught:
        read(SOURCE, "y", sql={"table": "kinds"})
    assert "pip install 'naru[postgresql]'" in caught.value.remedy


def _check_no_secret(error: NaruError) -> None:
    text = f"{error}{error.__cause__}"
    assert not any(part in text for part in (PASSWORD, ENCODED, "ss/", "%41", "w:rd")), text
    assert os.environ["FLIGHTS_DATABASE"] not in text
