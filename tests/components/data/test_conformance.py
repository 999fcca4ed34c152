"""Every format from every source gives the same examples: same rows, same types, same digest, for values that all hold exactly.

A pair is one row of `PAIRS`: how the table is written as a format, and how a source serves that file. A new format is one
line in `WRITERS`, a new source one line in `SOURCES`, with the pairs that make sense in `PAIRS`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples
from tests.components.core.store.s3_stub import serving
from tests.components.data.formats.xlsx.workbook import write_workbook

ROWS = 200
TABLE = pa.table(
    {
        "id": [2**40 + n for n in range(ROWS)],
        "real": pa.array([None if n % 7 == 0 else n / 4 + 0.125 for n in range(ROWS)], pa.float32()),
        "word": [None if n % 11 == 0 else f"w é {n % 5}" for n in range(ROWS)],
        "y": [n % 3 for n in range(ROWS)],
    }
)
"""Values that every format holds: whole numbers below 2^53, real ones in single precision, texts."""
TYPES = {"id": "int64", "real": "float64", "word": "string", "y": "int64"}


def write_csv(path: Path) -> None:
    lines = [",".join("" if cell is None else str(cell) for cell in row.values()) for row in TABLE.to_pylist()]
    path.write_text("\n".join([",".join(TABLE.column_names), *lines]) + "\n")


def write_parquet(path: Path) -> None:
    pq.write_table(TABLE.set_column(1, "real", TABLE["real"].cast(pa.float64())), path, row_group_size=64)


def write_avro(path: Path) -> None:
    import fastavro

    kinds = {"id": "long", "real": ["null", "double"], "word": ["null", "string"], "y": "int"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    with path.open("wb") as stream:
        schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": fields})
        fastavro.writer(stream, schema, TABLE.to_pylist(), codec="snappy", sync_interval=1_000)


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()))


def write_tfrecord(path: Path) -> None:
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    from tests.components.data.formats.tfrecord.test_tfrecord import frame

    columns = [
        pa.array([None if value is None else [value] for value in column.to_pylist()], pa.list_(kind))
        for column, kind in zip(TABLE.columns, (pa.int64(), pa.float32(), pa.binary(), pa.int64()), strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=TABLE.column_names)
    path.write_bytes(b"".join(map(frame, RecordBatchToExamplesEncoder().encode(batch))))


def write_xlsx(path: Path) -> None:
    rows = [list(row.values()) for row in TABLE.to_pylist()]
    write_workbook(path, {"table": [["The table"], TABLE.column_names, *rows]})


WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "avro": write_avro,
    "jsonl": write_jsonl,
    "tfrecord": write_tfrecord,
    "xlsx": write_xlsx,
}
NARROWER = {"tfrecord": {"real": "float32"}}
"""Types of formats that have no double: the values are the same."""


@contextmanager
def on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield str(path)


@contextmanager
def in_a_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (path.parent / "folder").mkdir()
    path.rename(path.parent / "folder" / path.name)
    yield str(path.parent / "folder")


@contextmanager
def in_s3(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.objects[f"/bucket/data/{path.name}"] = (path.read_bytes(), time.time())
        yield f"s3://bucket/data/{path.name}"


SOURCES: dict[str, Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[str]]] = {
    "disk": on_disk,
    "folder": in_a_folder,
    "s3": in_s3,
}
PAIRS = [(kind, "disk") for kind in WRITERS] + [
    ("parquet", "folder"),
    ("jsonl", "folder"),
    ("parquet", "s3"),
    ("csv", "s3"),
    pytest.param("avro", "s3", marks=pytest.mark.nightly),
    pytest.param("jsonl", "s3", marks=pytest.mark.nightly),
    pytest.param("tfrecord", "s3", marks=pytest.mark.nightly),
    pytest.param("xlsx", "s3", marks=pytest.mark.nightly),
]


def ingest(source: str, folder: Path) -> tuple[str, Manifest]:
    """Ingest a source; the digest of its rows by split, in an order of their own, and the manifest."""
    examples, quarantine = folder / "examples", folder / "quarantine"
    examples.mkdir(parents=True)
    quarantine.mkdir()
    raw: dict[str, Any] = {"name": "p", "task": "regression", "label": "y", "data": {"source": source}}
    ingest_examples(parse_project(raw), examples=examples, quarantine=quarantine)
    digest = hashlib.sha256()
    for split in SPLITS:
        table = pa.Table.from_batches(read_batches(examples, split)).select(sorted(TYPES)).sort_by("id")
        digest.update(json.dumps([split, table.to_pydict()]).encode())
    return digest.hexdigest(), Manifest.load(examples)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, int]]:
    """The digest and the rows by split of the CSV on disk."""
    folder = tmp_path_factory.mktemp("expected")
    write_csv(folder / "t.csv")
    digest, manifest = ingest(str(folder / "t.csv"), folder)
    return digest, manifest.rows


@pytest.mark.parametrize(("kind", "place"), PAIRS)
def test_every_format_from_every_source_gives_the_same_examples(
    kind: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: tuple[str, dict[str, int]]
) -> None:
    path = tmp_path / "data"  # without an extension: the content decides
    WRITERS[kind](path)
    with SOURCES[place](path, monkeypatch) as source:
        digest, manifest = ingest(source, tmp_path / "run")
    assert manifest.columns == {**TYPES, **NARROWER.get(kind, {})}
    assert sum(manifest.rows.values()) == ROWS and manifest.rows == expected[1]
    assert digest == expected[0]
