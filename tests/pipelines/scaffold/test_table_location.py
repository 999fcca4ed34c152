"""A project from a table in a database, an object store or on a web server."""

from __future__ import annotations

import io
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from components._core.errors import ConfigError, NaruError
from components._core.project.project_file import load_project
from components._data.sources.registry import open_source
from pipelines.scaffold import new_project, table_profile
from pipelines.scaffold.table_location import TableLocation

ROWS = [(n, n * 37 % 11, "abc"[n % 3], "ny"[n * 13 % 7 < 3]) for n in range(300)]
CSV = "n,size,kind,y\n" + "".join(f"{n},{size},{kind},{y}\n" for n, size, kind, y in ROWS)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE shop (n, size, kind, y)")
        connection.executemany("INSERT INTO shop VALUES (?, ?, ?, ?)", ROWS)
    return tmp_path / "t.db"


@pytest.mark.parametrize("named", [{"table": "shop"}, {"query": 'SELECT * FROM shop -- all of "it\'s"'}])
def test_a_table_or_query_of_sqlite(
    database: Path, named: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    created = new_project(tmp_path / "p", data=TableLocation.parse("sqlite:///t.db", **named), label="y")
    data = load_project(created.folder).data
    assert data.source == "sqlite:///../t.db"
    assert data.sql is not None and data.sql.model_dump(exclude_defaults=True) == named
    assert (created.rows, [decision.role for decision in created.decisions]) == (
        300,
        ["left out", "number", "category", "label"],
    )
    monkeypatch.chdir(created.folder)
    assert open_source(data.source, sql=data.sql).list_files("all")


def test_the_project_of_a_table_elsewhere_names_its_address(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/elsewhere/t.csv", CSV.encode())
    created = new_project(tmp_path / "p", data=TableLocation.parse("memory://elsewhere/t.csv"), label="y")
    assert load_project(created.folder).data.source == "memory://elsewhere/t.csv"
    assert "from t.csv" in (created.folder / "project.yaml").read_text()
    assert not [note for note in created.notes if "the table has more" in note]


def test_of_a_large_table_elsewhere_some_rows_are_read_and_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_profile, "MOST_ROWS", 200)
    whole = pa.table(dict(zip(["n", "size", "kind", "y"], zip(*ROWS, strict=True), strict=True)))
    for span in range(4):
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, whole.schema) as writer:
            writer.write_table(whole, max_chunksize=10)
        fsspec.filesystem("memory").pipe(f"/large/t-{span}.arrows", stream.getvalue())
    created = new_project(tmp_path / "p", data=TableLocation.parse("memory://large/t-{span}.arrows"), label="y")
    assert created.rows == 200
    assert "the project was made from 200 rows; the table has more, and a run reads them all" in created.notes
    assert load_project(created.folder).data.source == "memory://large/t-{span}.arrows"


def test_of_many_files_elsewhere_some_are_read_from_the_first_to_the_last() -> None:
    for span in range(100):
        fsspec.filesystem("memory").pipe(f"/many/t-{span}.csv", CSV.encode())
    location = TableLocation.parse("memory://many/t-{span}.csv")
    spans = [file.span for file in location.choose_files(location.list_files())]
    assert (len(spans), spans[0], spans[-1]) == (20, 0, 99)
    assert spans == sorted(set(spans))


@pytest.mark.parametrize(("files", "is_partial"), [(20, False), (21, True)])
def test_a_profile_of_some_of_the_files_is_partial(files: int, is_partial: bool) -> None:
    for span in range(files):
        fsspec.filesystem("memory").pipe(f"/some-{files}/t-{span}.csv", b"x,y\n1,a\n2,b\n")
    found = table_profile.profile_table(TableLocation.parse(f"memory://some-{files}/t-{{span}}.csv"), "y")
    assert (found.rows, found.is_partial) == (40, is_partial)


def test_a_table_nearby_is_named_relative_to_the_project_and_one_far_away_is_not(tmp_path: Path) -> None:
    near = TableLocation(str(tmp_path / "data" / "table.csv"))
    assert near.in_project(tmp_path / "churn") == ("../data/table.csv", True)
    far = tmp_path / "x" / "table.csv"
    assert TableLocation(str(far)).in_project(tmp_path / "a" / "b" / "c" / "churn") == (far.as_posix(), False)
    delta = TableLocation(f"delta://{tmp_path}/flights@5")
    assert delta.in_project(tmp_path / "churn") == ("delta://../flights@5", True)


@pytest.mark.parametrize(
    ("source", "named", "message"),
    [
        (
            "postgresql://ann:s3cret@host/shop",
            {"table": "t"},
            "a user name or password in a URL, which would be in project.yaml",
        ),
        ("https://host/t.csv?X-Amz-Signature=abcdef", {}, "which would be in project.yaml"),
        ("postgresql://${SHOP}", {}, "which table of this database"),
        ("sqlite:///t.db", {"table": "a", "query": "SELECT 1"}, "which table of this database"),
        ("t.csv", {"table": "a"}, "--table and --query are for databases"),
        ("sqlite:///t.db", {"table": "a" * 600}, "at most 512 characters"),
    ],
)
def test_an_address_that_cannot_be_in_a_project_is_refused_and_no_secret_is_shown(
    source: str, named: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        TableLocation.parse(source, **named)
    assert "s3cret" not in str(refused.value) and "abcdef" not in str(refused.value)


def test_a_database_without_the_table_is_refused_and_nothing_is_written(database: Path, tmp_path: Path) -> None:
    location = TableLocation.parse(f"sqlite:///{database}", table="shops")
    with pytest.raises(NaruError, match="no such table: shops"):
        new_project(tmp_path / "p", data=location, label="y")
    assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_a_table_of_postgresql_whose_connection_is_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from tests.components.data.sources.databases.postgresql_server import serving

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder)) as server:
            values = ", ".join(f"({n}, {size}, '{kind}', '{y}')" for n, size, kind, y in ROWS)
            server.run(f"CREATE TABLE shop (n int, size numeric, kind text, y text); INSERT INTO shop VALUES {values};")
            monkeypatch.setenv("SHOP", server.url)
            created = new_project(
                tmp_path / "p", data=TableLocation.parse("postgresql://${SHOP}", table="shop"), label="y"
            )
    assert load_project(created.folder).data.source == "postgresql://${SHOP}"
    written = "".join(file.read_text() for file in created.files)
    assert os.environ["SHOP"] not in written
    assert (created.rows, [decision.role for decision in created.decisions]) == (
        300,
        ["left out", "number", "category", "label"],
    )
