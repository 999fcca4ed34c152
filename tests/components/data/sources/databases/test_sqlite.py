import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, DataError, UnavailableError
from components._core.examples.artifact import Manifest
from components._core.project.data_config import Data
from components._core.project.project_file import parse_project
from components._data.sources.databases import contract, sqlite
from components._data.sources.registry import absolute_location, open_source, span_unit
from components.ingest.ingest import ingest_examples
from tests.components.data.sources.databases.reading import fingerprint, read

ROWS = [
    # n, x, mixed, word, data, day, y
    (1, 0.5, 1, "a", b"\x00\xff", "2024-01-31", 0),
    (2, 2, "2", None, None, "2024-02-01", 1),
    (None, None, 3.5, "ü", b"", "2024-02-29 23:59:59", 0),
    (2**62, 1e30, None, "", b"x", "2024-04-01", 1),
]


@pytest.fixture
def database(tmp_path: Path) -> str:
    change(tmp_path, 'CREATE TABLE "my table" (n, x, mixed, word, "the data" BLOB, day, y)')
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.executemany('INSERT INTO "my table" VALUES (?, ?, ?, ?, ?, ?, ?)', ROWS)
    return f"sqlite:///{tmp_path}/t.db"


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "t.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


TABLE = {"table": "my table"}


def test_a_column_has_the_type_of_all_its_cells_and_values_are_kept(database: str) -> None:
    rows = read(database, "y", sql=TABLE)[1]
    types = {field.name: str(field.type) for field in rows.schema}
    assert types == {
        "n": "int64", "x": "double", "mixed": "string", "word": "string", "the data": "binary", "day": "string", "y": "int64",
    }  # fmt: skip
    assert rows["n"].to_pylist() == [1, 2, None, 2**62]
    assert rows["x"].to_pylist() == [0.5, 2.0, None, 1e30]
    assert rows["mixed"].to_pylist() == ["1", "2", "3.5", None]
    assert rows["the data"].to_pylist() == [b"\x00\xff", None, b"", b"x"]


def test_a_query_is_the_table_in_its_own_order(database: str) -> None:
    rows = read(database, "y", sql={"query": 'SELECT n + 1 AS m, y FROM "my table" WHERE n < 9 ORDER BY n DESC; '})[1]
    assert rows.to_pydict() == {"m": [3, 2], "y": [1, 0]}


def test_rows_arrive_in_batches(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BATCH_BYTES", 1_000 * sqlite._CELL_BYTES * 2)
    query = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 2500) SELECT n, n % 2 AS y FROM c"
    one = sqlite.open_database(database)
    select = contract.Select(query=query)
    assert [batch.num_rows for batch in one.batches(select, one.schema(select))] == [1_000, 1_000, 500]
    assert read(database, "y", sql={"query": query})[1]["n"].to_pylist() == list(range(1, 2_501))


@pytest.mark.parametrize(
    ("spans", "found"), [("all", {202401: 1, 202402: 2, 202404: 1}), ("2024-02", {202402: 2}), ("last 1", {202404: 1})]
)
def test_a_span_is_a_month_of_a_column(database: str, spans: str, found: dict[int, int]) -> None:
    sql = {**TABLE, "span_column": "day", "span_unit": "month"}
    assert {span: rows.num_rows for span, rows in read(database, "y", spans, sql=sql).items()} == found
    unit = span_unit(Data.model_validate({"source": database, "sql": sql}))
    assert unit is not None and unit.name == "month"


def test_a_span_is_a_number_of_a_column(database: str) -> None:
    found = read(database, "y", "0", sql={**TABLE, "span_column": "y"})
    assert found[0]["day"].to_pylist() == ["2024-01-31", "2024-02-29 23:59:59"] and list(found) == [0]


def test_a_missing_span_is_named_beside_those_that_exist(database: str) -> None:
    with pytest.raises(DataError, match=r"no span 2024-03(.|\n)*2024-01\.\.2024-02, 2024-04"):
        read(database, "y", "2024-01..2024-04", sql={**TABLE, "span_column": "day", "span_unit": "month"})


def test_rows_without_a_span_are_an_error_and_not_left_out(database: str) -> None:
    with pytest.raises(DataError, match=r"1 rows belong to no span(.|\n)*IS NOT NULL"):
        read(database, "y", sql={**TABLE, "span_column": "n"})


def test_a_change_of_a_row_changes_the_fingerprint(database: str, tmp_path: Path) -> None:
    before = fingerprint(database, sql=TABLE)
    assert fingerprint(database, sql=TABLE) == before
    change(tmp_path, "UPDATE \"my table\" SET word = 'b' WHERE n = 1")
    assert fingerprint(database, sql=TABLE) != before
    assert fingerprint(database, sql={"query": 'SELECT * FROM "my table"'}) != fingerprint(database, sql=TABLE)


def test_with_a_version_column_other_changes_of_the_file_do_not_count(database: str, tmp_path: Path) -> None:
    sql = {**TABLE, "version_column": "day"}
    before = fingerprint(database, sql=sql)
    change(tmp_path, "CREATE TABLE other (a)")
    assert fingerprint(database, sql=sql) == before
    change(tmp_path, "UPDATE \"my table\" SET day = '2024-05-01' WHERE n = 2")
    assert fingerprint(database, sql=sql) != before


def test_changes_in_the_write_ahead_log_are_read_and_change_the_fingerprint(database: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        before = fingerprint(database, sql=TABLE)
        writer.execute('DELETE FROM "my table" WHERE n = 1')
        writer.commit()
        assert fingerprint(database, sql=TABLE) != before
        assert read(database, "y", sql=TABLE)[1].num_rows == 3


def test_ingest_reads_it_by_span_with_digests(database: str, tmp_path: Path) -> None:
    sql = {"query": 'SELECT x, y FROM "my table"', "span_column": "y"}
    project = parse_project(
        {
            "name": "p",
            "task": "regression",
            "label": "x",
            "data": {"source": database, "sql": sql, "quarantine_limit": 0.5},
        }
    )
    for name in ("examples", "quarantine"):
        (tmp_path / name).mkdir()
    ingest_examples(project, examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")
    manifest = Manifest.load(tmp_path / "examples")
    assert [(file.path, file.span, file.rows, file.quarantined) for file in manifest.files] == [
        ("query 0", 0, 1, 1),
        ("query 1", 1, 2, 0),
    ]
    assert len({file.sha256 for file in manifest.files}) == 2 and all(file.bytes for file in manifest.files)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ({"table": "none"}, "the query fails: no such table: none"),
        ({"query": "SELEC 1"}, 'the query fails: near "SELEC": syntax error'),
        ({"query": 'DELETE FROM "my table"'}, "attempt to write a readonly database"),
        ({**TABLE, "span_column": "none"}, "the query fails: no such column"),
    ],
)
def test_a_query_that_fails_is_bad_data_with_its_reason(database: str, sql: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(database, "y", sql=sql)
    assert read(database, "y", sql=TABLE)[1].num_rows == len(ROWS)


def test_bytes_beside_other_values_are_refused_with_the_remedy(database: str) -> None:
    with pytest.raises(DataError, match=r"column 'a' has bytes beside other values \(integer, blob\)(.|\n)*CAST"):
        read(database, "y", sql={"query": "SELECT 1 AS a, 1 AS y UNION ALL SELECT x'00', 2"})


def test_a_file_that_is_missing_or_not_a_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.db: there is no such file"):
        read(f"sqlite:///{tmp_path}/none.db", "y", sql=TABLE)
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "t.csv").write_text("a,y\n" * 1_000)
    with pytest.raises(DataError, match="cannot be read as SQLite"):
        read(f"sqlite:///{tmp_path}/t.csv", "y", sql=TABLE)


def test_a_locked_database_is_unavailable(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "SECONDS_TO_WAIT", 0.1)
    with closing(sqlite3.connect(tmp_path / "t.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="locked"):
            read(database, "y", sql=TABLE)


def test_the_table_is_named_in_the_project_and_only_for_a_database(database: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"which table\?(.|\n)*data\.sql\.table"):
        open_source(database)
    (tmp_path / "t.csv").write_text("a,y\n1,0\n")
    with pytest.raises(ConfigError, match="is for databases"):
        read(str(tmp_path / "t.csv"), "y", sql=TABLE)
    with pytest.raises(ConfigError, match="found 'csv', but the rows of this source have no files"):
        read(database, "y", sql=TABLE, format="csv")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ({"table": "a", "query": "b"}, "give table or query, not both"),
        ({"span_column": "a"}, "give table or query"),
        ({"table": "a", "span_unit": "day"}, "span_unit needs span_column"),
    ],
)
def test_settings_that_do_not_fit_one_another_are_refused(sql: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data.model_validate({"source": "sqlite:///t.db", "sql": sql})


def test_a_relative_path_is_relative_to_the_project(tmp_path: Path) -> None:
    assert absolute_location("sqlite:///data/t.db", tmp_path) == f"sqlite:///{tmp_path}/data/t.db"
    assert absolute_location("sqlite:////data/t.db", tmp_path) == "sqlite:////data/t.db"
    assert absolute_location("s3://b/t.csv", tmp_path) == "s3://b/t.csv"
