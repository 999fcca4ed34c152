"""Every kind of source gives the rows that were written there, in their order, each with the answer to it alone."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from components._core.store.object_store import put
from components._predictor.predictor import load
from tests.components.core.store.s3_stub import serving as serving_s3
from tests.components.data.sources.databases.postgresql_server import serving as serving_postgresql
from tests.components.data.sources.delta_table import DeltaTableWriter
from tests.components.predict.conftest import Versions
from tests.components.predict.made import read, run, table
from tests.http_servers import running

TABLE = table(60, seed=4)
HALVES = (TABLE.slice(0, 25), TABLE.slice(25))
PARTITIONED = TABLE.drop(["carrier"])
Written = tuple[str, dict[str, Any]]
"""A source, and the keys of `data` that go with it."""


def _bytes(part: pa.Table, ending: str) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(part, sink) if ending == "parquet" else csv.write_csv(part, sink)
    return bytes(sink.getvalue())


@contextmanager
def _gzip(folder: Path) -> Iterator[Written]:
    (folder / "t.csv.gz").write_bytes(gzip.compress(_bytes(TABLE, "csv")))
    yield str(folder / "t.csv.gz"), {}


@contextmanager
def _zip(folder: Path) -> Iterator[Written]:
    with zipfile.ZipFile(folder / "t.zip", "w") as archive:
        archive.writestr("t.csv", _bytes(TABLE, "csv"))
    yield f"zip://t.csv::file://{folder / 't.zip'}", {}


@contextmanager
def _tfrecord(folder: Path) -> Iterator[Written]:
    import tensorflow as tf

    def feature(value: Any) -> Any:
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[] if value is None else [value]))

    with tf.io.TFRecordWriter(str(folder / "t.tfrecord")) as writer:
        for row in TABLE.to_pylist():
            features = tf.train.Features(feature={name: feature(value) for name, value in row.items()})
            writer.write(tf.train.Example(features=features).SerializeToString())
    yield str(folder / "t.tfrecord"), {}


@contextmanager
def _folder(folder: Path) -> Iterator[Written]:
    (folder / "t").mkdir()
    for number, part in enumerate(HALVES):
        (folder / "t" / f"{number}.parquet").write_bytes(_bytes(part, "parquet"))
    yield str(folder / "t"), {}


@contextmanager
def _spans(folder: Path) -> Iterator[Written]:
    for number, part in enumerate(HALVES):
        (folder / f"t-{number + 1}.csv").write_bytes(_bytes(part, "csv"))
    yield str(folder / "t-{span}.csv"), {}


@contextmanager
def _web(folder: Path) -> Iterator[Written]:
    (folder / "t.parquet").write_bytes(_bytes(TABLE, "parquet"))

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *_: object) -> None:
            """Quiet."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Files)) as server:
        yield f"http://127.0.0.1:{server.server_port}/t.parquet", {}


@contextmanager
def _s3(folder: Path) -> Iterator[Written]:
    with serving_s3("atomic") as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment.items():
            patch.setenv(name, value)
        for number, part in enumerate(HALVES):
            s3.objects[f"/bucket/t/{number}.csv"] = (_bytes(part, "csv"), 0.0)
        yield "s3://bucket/t", {}


@contextmanager
def _memory(folder: Path) -> Iterator[Written]:
    put(_bytes(TABLE, "parquet"), f"memory://{folder.name}/t.parquet")
    yield f"memory://{folder.name}/t.parquet", {}


@contextmanager
def _delta(folder: Path) -> Iterator[Written]:
    writer = DeltaTableWriter(folder / "t", TABLE.schema)
    writer.write(*(writer.add(f"{number}.parquet", part) for number, part in enumerate(HALVES)))
    yield f"delta://{folder}/t@0", {}


@contextmanager
def _sqlite_query(folder: Path) -> Iterator[Written]:
    with closing(sqlite3.connect(folder / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (flight TEXT, delay REAL, month INTEGER, carrier TEXT, noise REAL)")
        rows = [tuple(row.values()) for row in TABLE.to_pylist()]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    yield f"sqlite:///{folder}/t.db", {"sql": {"query": "SELECT * FROM t WHERE month > 0 ORDER BY flight"}}


@contextmanager
def _postgresql(folder: Path) -> Iterator[Written]:
    (folder / "t.csv").write_bytes(_bytes(TABLE, "csv"))
    with tempfile.TemporaryDirectory(dir="/tmp") as data, pytest.MonkeyPatch.context() as patch:
        Path(data).chmod(0o755)
        with serving_postgresql(Path(data)) as server:
            columns = "flight text, delay float8, month bigint, carrier text, noise float8"
            server.run(f"CREATE TABLE t ({columns})", f"\\copy t FROM '{folder}/t.csv' WITH (FORMAT csv, HEADER)")
            patch.setenv("FLIGHTS_DATABASE", server.url)
            yield "postgresql://${FLIGHTS_DATABASE}", {"sql": {"table": "t"}}


@contextmanager
def _joined(folder: Path) -> Iterator[Written]:
    """The table without a feature, and that in a second one."""
    (folder / "t.parquet").write_bytes(_bytes(PARTITIONED, "parquet"))
    second = pa.table({"code": TABLE["flight"], "carrier": TABLE["carrier"]})
    (folder / "carriers.parquet").write_bytes(_bytes(second.take(pa.array(range(59, -1, -1))), "parquet"))
    yield str(folder / "t.parquet"), {"join": [{"source": f"{folder}/carriers.parquet", "on": {"flight": "code"}}]}


SOURCES: dict[str, Callable[..., Any]] = {
    "gzip": _gzip,
    "zip": _zip,
    "folder": _folder,
    "spans": _spans,
    "web server": _web,
    "S3": _s3,
    "any file system": _memory,
    "delta": _delta,
    "SQLite query": _sqlite_query,
    "join": _joined,
    "TFRecord": _tfrecord,
}


@pytest.fixture(scope="module")
def answers(versions: Versions) -> list[float]:
    """The answer to each row alone."""
    predictor, names = load(versions().folder), ("delay", "month", "carrier", "noise")
    return [
        float(predictor.predict({name: [row[name]] for name in names})["probability"][0]) for row in TABLE.to_pylist()
    ]


@pytest.mark.parametrize("kind", [*SOURCES, pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def test_a_source_gives_its_rows_in_order_with_the_answer_to_each(
    kind: str, tmp_path: Path, versions: Versions, answers: list[float]
) -> None:
    with {**SOURCES, "PostgreSQL": _postgresql}[kind](tmp_path) as (source, data):
        done = run(source, tmp_path / "out.jsonl", versions(), tmp_path / "store", data=data)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert done.manifest["answered"] == len(found) == TABLE.num_rows and not done.manifest["rejected"]
    for row, wanted, answer in zip(found, TABLE.to_pylist(), answers, strict=True):
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, nan_ok=True)
        assert row["probability"] == pytest.approx(answer, abs=1e-6)


def test_folders_that_name_a_value_give_it_to_their_rows(tmp_path: Path, versions: Versions) -> None:
    for carrier in set(TABLE["carrier"].to_pylist()):
        mask = pa.array([each == carrier for each in TABLE["carrier"].to_pylist()])
        place = tmp_path / "t" / f"carrier={carrier}"
        place.mkdir(parents=True)
        (place / "0.parquet").write_bytes(_bytes(PARTITIONED.filter(mask), "parquet"))
    run(tmp_path / "t", tmp_path / "out", versions(), tmp_path / "store")
    found = {row["flight"]: row["carrier"] for row in read(tmp_path / "out").to_pylist()}
    assert found == dict(zip(TABLE["flight"].to_pylist(), TABLE["carrier"].to_pylist(), strict=True))


def test_a_large_text_has_every_row_once(tmp_path: Path, versions: Versions) -> None:
    """Several blocks of the reader and several parts of the output: nothing is lost or doubled at a border."""
    whole = table(30_000, seed=5)
    note = pa.array(["x" * int(size) for size in np.random.default_rng(1).integers(0, 900, whole.num_rows)])
    (tmp_path / "t.csv").write_bytes(_bytes(whole.append_column("note", note), "csv"))
    run(tmp_path / "t.csv", tmp_path / "out", versions(), tmp_path / "store")
    found = read(tmp_path / "out")
    assert found["flight"].to_pylist() == whole["flight"].to_pylist() and found["note"].null_count < 100
