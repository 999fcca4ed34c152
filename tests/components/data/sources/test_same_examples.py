"""The same table gives the same examples in the same splits, from wherever it is read."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from contextlib import closing
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import parse_project
from components._core.store.object_store import put
from components.ingest.ingest import ingest_examples
from tests.components.data.sources.databases.postgresql_server import serving
from tests.components.data.sources.delta_table import DeltaTableWriter
from tests.http_servers import running

TABLE = pa.table(
    {
        "id": pa.array([None if n % 7 == 3 else n * 1_000_003 for n in range(400)], pa.int64()),
        "x": [None if n % 11 == 5 else n / 8 for n in range(400)],
        "word": [None if n % 13 == 1 else f"wörd {n % 17}" for n in range(400)],
        "y": [n % 2 for n in range(400)],
    }
)


def digest(folder: Path, source: str, **data: Any) -> str:
    """The digest of the examples of all splits, whatever their order in a split."""
    project = parse_project({"name": "p", "task": "regression", "label": "y", "data": {"source": source, **data}})
    examples, quarantine = folder / "examples", folder / "quarantine"
    for made in (examples, quarantine):
        made.mkdir()
    ingest_examples(project, examples=examples, quarantine=quarantine)
    found = hashlib.sha256()
    for split in SPLITS:
        rows = pa.Table.from_batches(list(read_batches(examples, split)))
        found.update(f"{split} {rows.schema.remove_metadata()}".encode())
        found.update("\n".join(sorted(map(repr, rows.to_pylist()))).encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("csv")
    pyarrow.csv.write_csv(TABLE, folder / "t.csv")
    return digest(folder, str(folder / "t.csv"))


def test_a_parquet_file_and_an_arrow_file(tmp_path: Path, expected: str) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    with pa.ipc.new_file(str(tmp_path / "t.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE)
    for name in ("t.parquet", "t.arrow"):
        (tmp_path / name[2:]).mkdir()
        assert digest(tmp_path / name[2:], str(tmp_path / name)) == expected


def test_a_web_server(tmp_path: Path, expected: str) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, format: str, *_: object) -> None:
            """Quiet."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Files)) as server:
        assert digest(tmp_path, f"http://127.0.0.1:{server.server_port}/t.parquet") == expected


def test_a_sqlite_database(tmp_path: Path, expected: str) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (id, x, word, y)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [tuple(row.values()) for row in TABLE.to_pylist()])
    assert digest(tmp_path, f"sqlite:///{tmp_path}/t.db", sql={"table": "t"}) == expected


def test_a_delta_table(tmp_path: Path, expected: str) -> None:
    writer = DeltaTableWriter(tmp_path / "t", TABLE.schema)
    writer.write(*(writer.add(f"{start}.parquet", TABLE.slice(start, 150)) for start in (0, 150, 300)))
    assert digest(tmp_path, f"delta://{tmp_path}/t@0") == expected


@pytest.mark.slow
def test_a_postgresql_database(tmp_path: Path, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder)) as server:
            pyarrow.csv.write_csv(TABLE, tmp_path / "t.csv")
            columns = "id bigint, x double precision, word text, y bigint"
            server.run(f"CREATE TABLE t ({columns})", f"\\copy t FROM '{tmp_path}/t.csv' WITH (FORMAT csv, HEADER)")
            monkeypatch.setenv("FLIGHTS_DATABASE", server.url)
            assert digest(tmp_path, "postgresql://${FLIGHTS_DATABASE}", sql={"table": "t"}) == expected


def test_an_object_is_what_a_file_is(tmp_path: Path, expected: str) -> None:
    """By any file system: `tests/containers` reads from real servers of S3 and GCS."""
    pq.write_table(TABLE, tmp_path / "t.parquet")
    put((tmp_path / "t.parquet").read_bytes(), "memory://same/t.parquet")
    assert digest(tmp_path, "memory://same/t.parquet") == expected
