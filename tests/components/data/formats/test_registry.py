"""A format is one file and one line of registration: the table, the project and ingest then know it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.data_config import Data
from components._core.project.project_file import parse_project
from components._data.formats import registry
from components._data.formats.bad_rows import BadRow
from components._data.formats.compression import HEAD_BYTES, read_head
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.formats.rows import FileTally, Rows, as_examples, set_unlabelled_aside
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source
from components.ingest.ingest import ingest_examples
from pipelines.compiler import project_schema
from pipelines.local.source_preview import check_source_preview


def zstandard(content: bytes) -> bytes:
    return bytes(pa.compress(content, "zstd", asbytes=True))


class JsonLines(Format):
    """A toy: one JSON object a line, all of whole numbers."""

    name = "jsonl"
    endings = (".jsonl",)

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        return first.startswith(b"{")

    def column_names(self, file: SpanFile) -> list[str]:
        with file.open() as stream:
            return list(json.loads(stream.readline()))

    def preview(self, file: SpanFile) -> Preview | None:
        return Preview(self.column_names(file), [])

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        return TableSchema({name: pa.int64() for name in self.column_names(files[0])})

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        with file.open() as stream:
            content = stream.read()
        (tally or FileTally()).watch(content)
        rows = [json.loads(line) for line in content.splitlines()]
        columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in schema.types.items()}
        batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        raw = pa.RecordBatch.from_arrays([columns[name] for name in cells], names=list(cells))
        yield set_unlabelled_aside(Rows(as_examples(batch), raw, lambda: np.arange(len(rows)) + 1), file, label, reject)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FORMATS", {name: registry.FORMATS[name] for name in ("csv", "parquet")})
    registry.register(JsonLines)


def project(source: Path, **data: Any) -> Any:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": str(source), **data}}
    return parse_project(raw)


@pytest.mark.usefixtures("toy")
def test_a_format_that_is_registered_by_the_same_call_is_ingested(tmp_path: Path) -> None:
    lines = [json.dumps({"x": n, "y": n % 5}) for n in range(200)] + ['{"x": 7}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    for name in ("examples", "quarantine"):
        (tmp_path / name).mkdir()
    read = project(tmp_path / "t.jsonl", quarantine_limit=0.1)
    check_source_preview(read, str(tmp_path / "t.jsonl"), "all")
    outcome = ingest_examples(read, examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")
    found = [
        n
        for split in SPLITS
        for batch in read_batches(tmp_path / "examples", split)
        for n in batch.column(0).to_pylist()
    ]
    assert sorted(found) == list(range(200)) and outcome.metrics["quarantined"] == 1
    assert Manifest.load(tmp_path / "examples").files[0].bytes == (tmp_path / "t.jsonl").stat().st_size


@pytest.mark.usefixtures("toy")
def test_a_second_format_of_one_name_is_a_mistake_of_a_programmer() -> None:
    with pytest.raises(ValueError, match="duplicate format 'jsonl'"):
        registry.register(JsonLines)


@pytest.mark.parametrize("data", [{"source": "t.parquet"}, {"source": "table", "format": "parquet"}])
def test_settings_of_another_format_are_refused_and_not_ignored(data: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="the table is read as parquet") as caught:
        registry.open_format(Data.model_validate({**data, "csv": {"escape": "\\"}}))
    assert caught.value.where == "data.csv" and "data.format: csv" in caught.value.remedy
    assert registry.open_format(Data.model_validate({**data, "csv": {"quote": '"'}})).name == "parquet"  # the default


def test_a_format_that_is_not_registered_is_refused_before_a_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.format: unknown format 'orc'(.|\n)*allowed: 'csv', 'parquet'"):
        check_source_preview(project(tmp_path / "t.orc", format="orc"), str(tmp_path / "t.orc"), "all")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"a,b\n1,2\n", "csv"),
        ("이름,b\n가,2\n".encode("cp949"), "csv"),
        ("가,b\n1,2\n".encode("utf-16"), "csv"),
        (b'{"a": 1}\n', "jsonl"),
    ],
)
def test_a_format_is_recognised_by_content_whatever_the_name(
    content: bytes, name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    for wrong in ("t.parquet", "t.csv", "table", "t.csv.gz"):
        (tmp_path / wrong).write_bytes(pack(content))
        file = open_source(str(tmp_path / wrong)).list_files("all")[0]
        for said in ("", "auto"):
            data = Data.model_validate({"source": str(tmp_path / wrong), "format": said})
            assert registry.open_format(data, file).name == name
    assert registry.open_format(Data(source="x", format="parquet"), file).name == "parquet"


def test_parquet_is_recognised_by_content_and_refused_where_it_is_compressed_as_a_whole(tmp_path: Path) -> None:
    for pack in (bytes, gzip.compress):
        (tmp_path / "t.csv").write_bytes(pack(b"PAR1....PAR1"))
        file = open_source(str(tmp_path / "t.csv")).list_files("all")[0]
        if pack is bytes:
            assert registry.open_format(Data(source="t.csv"), file).name == "parquet"
        else:
            with pytest.raises(DataError, match="is Parquet inside of gzip"):
                registry.open_format(Data(source="t.csv"), file)


@pytest.mark.parametrize(
    ("file", "name"), [("t.parquet", "parquet"), ("t.pq", "parquet"), ("t.csv", "csv"), ("t", "csv")]
)
def test_the_name_decides_where_the_content_says_nothing(file: str, name: str, tmp_path: Path) -> None:
    for content in (b"", b"\x00\x01\x02\x03"):
        (tmp_path / file).write_bytes(content)
        first = open_source(str(tmp_path / file)).list_files("all")[0]
        assert registry.open_format(Data(source=str(tmp_path / file)), first).name == name


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard])
def test_a_compressed_file_that_is_cut_off_or_damaged_is_reported_with_its_name(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    whole = pack(random.Random(7).randbytes(50_000))
    for wrong in (whole[:-9], whole[:-400], whole[:6] + b"x" * 40 + whole[46:]):
        (tmp_path / "t.csv").write_bytes(wrong)
        file = open_source(str(tmp_path / "t.csv")).list_files("all")[0]
        with pytest.raises(DataError, match=r"t\.csv: cannot be decompressed as (gzip|bzip2|xz|zstandard)"):
            read_head(file, HEAD_BYTES)


def test_choosing_a_format_loads_nothing_heavy() -> None:
    """`naru run` does it before it shows anything."""
    message = (
        "import sys; from components._data.formats import registry; print({'numpy', 'pyarrow'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", message], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_json_schema_names_the_formats() -> None:
    named = json.loads(project_schema())["$defs"]["Data"]["properties"]["format"]["enum"]
    assert named == ["", "auto", *registry.FORMATS] and {"csv", "parquet"} <= set(named)
