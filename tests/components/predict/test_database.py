"""Tables of databases as the output."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError
from components._data.sources.databases.sqlite import translate_error
from components.predict import predict
from components.predict.destinations.sqlite_tables import SqliteTables
from components.predict.versions import ModelVersion
from tests.components.data.sources.databases.postgresql_server import PASSWORD, PostgreSqlServer, serving
from tests.components.predict.conftest import Versions
from tests.components.predict.made import read, rejected, run, table

ROWS = 230
POSTGRESQL = "postgresql://${ANSWERS_DATABASE}"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "part_rows", lambda columns: 50)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    month = [None if n % 40 == 7 else value for n, value in enumerate(table(ROWS)["month"].to_pylist())]
    pq.write_table(table(ROWS).set_column(2, "month", pa.array(month)), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def rows_of(database: Path, name: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]


def names_in(database: Path) -> set[str]:
    return {row["name"] for row in rows_of(database, "sqlite_master") if row["type"] == "table"}


def test_sqlite_holds_what_a_file_holds(tmp_path: Path, source: Path, versions: Versions) -> None:
    database = tmp_path / "made" / "answers.db"
    first = run(source, f"sqlite:///{database}", versions(), tmp_path / "store", table="answers")
    second = run(source, f"sqlite:///{database}", versions(), tmp_path / "store", table="answers")
    run(source, tmp_path / "out", versions(), tmp_path / "store")
    assert rows_of(database, "answers") == read(tmp_path / "out").to_pylist()
    assert rows_of(database, "answers_rejected") == rejected(tmp_path / "out")
    assert names_in(database) == {"answers", "answers_rejected", "naru_predictions"}
    assert not first.was_complete and second.was_complete and second.manifest == first.manifest


def test_what_is_wrong_with_a_file_is_said_alike_of_a_source_and_an_output(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components._data.sources.databases.sqlite.SECONDS_TO_WAIT", 0.05)
    database = tmp_path / "t.db"
    location = f"sqlite:///{database}"

    def both() -> list[tuple[type[NaruError], str, str]]:
        found = []
        for given in (
            {"source": location, "output": tmp_path / "out", "data": {"sql": {"table": "t"}}},
            {"source": source, "output": location, "table": "answers"},
        ):
            with pytest.raises(NaruError) as caught:
                run(given.pop("source"), given.pop("output"), versions(), tmp_path / "store", **given)  # type: ignore[arg-type]
            found.append((type(caught.value), caught.value.message, caught.value.remedy))
        return found

    database.write_bytes(b"this is a text that is longer than the header of a database is" * 20)
    first, second = both()
    assert first == second and first[0] is DataError and "file is not a database" in first[1]
    database.unlink()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS month, 'AA' AS carrier, 0.5 AS noise")
        connection.execute("BEGIN EXCLUSIVE")
        first, second = both()
    assert first == second and first[0] is UnavailableError and "locked" in first[1]


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (sqlite3.SQLITE_FULL, ServiceError, "make room"),
        (sqlite3.SQLITE_READONLY | 8 << 8, None, ""),
        (sqlite3.SQLITE_CANTOPEN, ConfigError, "allow this user"),
        (sqlite3.SQLITE_IOERR | 10 << 8, ServiceError, "check its disk"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, UnavailableError, "another process"),
        (sqlite3.SQLITE_CORRUPT_INDEX, DataError, "restore the file"),
        (sqlite3.SQLITE_ERROR, None, ""),
    ],
)
def test_an_error_of_the_file_has_its_kind_by_sqlites_code(
    code: int, kind: type[NaruError] | None, remedy: str
) -> None:
    error = sqlite3.OperationalError("what SQLite says\nand more")
    error.sqlite_errorcode = code
    found = translate_error(error, "t.db")
    assert (type(found) if found else None) is kind
    if found:
        assert (found.message, found.where) == ("what SQLite says", "t.db") or kind is DataError
        assert remedy in found.remedy


def test_a_name_that_postgresql_would_cut_is_refused(tmp_path: Path, source: Path, versions: Versions) -> None:
    for name in ("answers_" + "x" * 34, "schema." + "ä" * 21):
        with pytest.raises(ConfigError, match="has 42 bytes; the database keeps 63") as error:
            run(source, POSTGRESQL, versions(), tmp_path / "store", table=name)
        assert "at most 41 bytes" in error.value.remedy


def test_other_tables_stay_and_predictions_are_replaced_when_told_to(
    tmp_path: Path, source: Path, versions: Versions
) -> None:
    database, other = tmp_path / "answers.db", ModelVersion("8", versions().folder, versions().digest)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
        connection.commit()
    location = f"sqlite:///{database}"
    with pytest.raises(ConfigError, match="table mine: something else is there"):
        run(source, location, versions(), tmp_path / "store", table="mine", replace=True)
    run(source, location, versions(), tmp_path / "store", table="answers")
    with pytest.raises(ConfigError, match="predictions of version 7 of tiny"):
        run(source, location, other, tmp_path / "store", table="answers")
    pq.write_table(table(10), source)
    run(source, location, other, tmp_path / "store", table="answers", replace=True)
    assert {row["model_version"] for row in rows_of(database, "answers")} == {"8"}
    assert names_in(database) == {"mine", "answers", "naru_predictions"}, "no row was rejected this time"


def test_a_run_that_is_killed_while_it_writes_leaves_the_table_as_it_was(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, location = tmp_path / "answers.db", f"sqlite:///{tmp_path / 'answers.db'}"
    run(source, location, versions(), tmp_path / "store", table="answers")
    before, other = rows_of(database, "answers"), ModelVersion("8", versions().folder, versions().digest)
    write = SqliteTables.write

    def dying(self: Any, tables: dict[str, Iterator[pa.Table]], *rest: Any) -> None:
        def two(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
            yield next(parts)
            yield next(parts)
            raise KeyboardInterrupt

        write(self, {name: two(parts) for name, parts in tables.items()}, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTables, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(source, location, other, tmp_path / "store", table="answers", replace=True)
    assert rows_of(database, "answers") == before
    run(source, location, other, tmp_path / "store", table="answers", replace=True)
    assert len(rows_of(database, "answers")) == len(before)
    assert not [name for name in names_in(database) if "staging" in name]


def test_a_rejected_row_with_a_line_separator_is_one_row(tmp_path: Path, versions: Versions) -> None:
    text = "a\u2028b\u2029c\u0085d\n"
    rows = table(3).set_column(0, "flight", pa.array([text, "x", "y"]))
    pq.write_table(rows.set_column(2, "month", pa.array([None, 1, 2])), tmp_path / "t.parquet")
    run(tmp_path / "t.parquet", f"sqlite:///{tmp_path / 'a.db'}", versions(), tmp_path / "store", table="answers")
    (row,) = rows_of(tmp_path / "a.db", "answers_rejected")
    assert row["code"] == "missing_feature" and "\u2028" in row["text"]


def test_a_database_needs_a_table_and_nothing_else_takes_one(tmp_path: Path, source: Path, versions: Versions) -> None:
    with pytest.raises(ConfigError, match="which table of this database"):
        run(source, f"sqlite:///{tmp_path / 'a.db'}", versions(), tmp_path / "store")
    with pytest.raises(ConfigError, match="--output-table is for databases"):
        run(source, tmp_path / "out", versions(), tmp_path / "store", table="answers")
    (tmp_path / "text.db").write_text("this is not a database, whatever its name says")
    with pytest.raises(DataError, match="not a database"):
        run(source, f"sqlite:///{tmp_path / 'text.db'}", versions(), tmp_path / "store", table="answers")


# PostgreSQL, on a real server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSqlServer]:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # below no folder that only its owner may enter
        Path(folder).chmod(0o755)
        with serving(Path(folder)) as server:
            yield server


@pytest.mark.slow
def test_postgresql_holds_what_a_file_holds(
    tmp_path: Path, source: Path, versions: Versions, server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERS_DATABASE", server.url)
    server.run("CREATE SCHEMA scores; CREATE TABLE mine AS SELECT 1 AS x")
    version, other = versions("multiclass_classification"), versions("multiclass_classification", "8")
    options: dict[str, Any] = {"task": "multiclass_classification", "table": "scores.answers"}
    first = run(source, POSTGRESQL, version, tmp_path / "store", **options)
    assert run(source, POSTGRESQL, version, tmp_path / "store", **options).was_complete
    with pytest.raises(ConfigError, match="predictions of version 7"):
        run(source, POSTGRESQL, other, tmp_path / "store", **options)
    run(source, POSTGRESQL, other, tmp_path / "store", **options, replace=True)
    with pytest.raises(ConfigError, match="something else is there"):
        run(source, POSTGRESQL, other, tmp_path / "store", **{**options, "table": "mine"}, replace=True)
    data = {"sql": {"query": "SELECT * FROM scores.answers ORDER BY flight"}}
    again = run(
        POSTGRESQL, tmp_path / "again", version, tmp_path / "store", task=options["task"], data=data, prefix="n_"
    )
    run(source, tmp_path / "out", version, tmp_path / "store", task=options["task"])
    held, wanted = read(tmp_path / "again"), read(tmp_path / "out")
    assert again.manifest["answered"] == first.manifest["answered"] == wanted.num_rows
    assert held.select(wanted.column_names[:5]).to_pylist() == wanted.select(wanted.column_names[:5]).to_pylist()
    assert held["class"].to_pylist() == held["n_class"].to_pylist() == wanted["class"].to_pylist()
    assert set(held["model_version"].to_pylist()) == {"8"}
    assert first.manifest["rejected"] == len(rejected(tmp_path / "out")) > 3


@pytest.mark.slow
def test_a_connection_string_is_in_no_message(
    tmp_path: Path, source: Path, versions: Versions, server: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERS_DATABASE", server.url)
    with pytest.raises(ServiceError) as caught:
        run(source, POSTGRESQL, versions(), tmp_path / "store", table="nowhere.answers")
    assert PASSWORD not in str(caught.value) and "nowhere" in str(caught.value)
