"""The look at MLflow's database before a run: cheap, without MLflow, and it takes nothing that works for damaged."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError
from components._core.settings import sqlite_uri
from components._registry.sqlite_probe import check_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "with a späce?" / "mlflow.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE runs (name TEXT)")
        made.executemany("INSERT INTO runs VALUES (?)", [("x" * 500,)] * 100)
        made.commit()
    return path


def test_a_database_that_works_passes_also_when_it_is_locked_or_empty_or_not_there(database: Path) -> None:
    check_database(sqlite_uri(database))
    with closing(sqlite3.connect(database, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        check_database(sqlite_uri(database))
    database.write_bytes(b"")
    check_database(sqlite_uri(database))
    database.unlink()
    check_database(sqlite_uri(database))
    assert not database.exists()


def test_a_server_is_not_looked_at() -> None:
    check_database("http://127.0.0.1:9")


@pytest.mark.parametrize("damage", ["head", "page", "end"])
def test_a_damaged_database_is_reported_with_a_remedy(database: Path, damage: str) -> None:
    content = bytearray(database.read_bytes())
    match damage:
        case "head":
            content[:16] = b"something else!!"
        case "page":
            content[4096:8192] = b"\xff" * 4096
        case "end":
            del content[len(content) // 2 :]
    database.write_bytes(content)
    with pytest.raises(ServiceError, match="cannot be used") as error:
        check_database(sqlite_uri(database))
    assert error.value.where == str(database) and "move the file away" in error.value.remedy


def test_what_a_killed_writer_left_is_undone_and_no_damage(database: Path) -> None:
    code = (
        "import os, sqlite3, sys; held = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "held.execute('PRAGMA cache_size=1'); held.execute('BEGIN');"
        "held.execute('UPDATE runs SET name = name || name'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(database)], check=False)
    assert database.with_name("mlflow.db-journal").exists()
    check_database(sqlite_uri(database))
    with closing(sqlite3.connect(database)) as repaired:
        assert repaired.execute("SELECT max(length(name)) FROM runs").fetchone() == (500,)


def test_a_folder_in_its_place_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        check_database(sqlite_uri(tmp_path))
