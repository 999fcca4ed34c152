"""Read one table once, on one core, and print rows, processor seconds and peak memory as JSON.

    python -m benchmarks.format_reader naru parquet FILE
    python -m benchmarks.format_reader bare parquet FILE

`naru` reads typed batches as ingest does; `bare` is the library under it with nothing beside: pyarrow for Parquet, CSV and
JSON lines, fastavro for Avro. A small table was read before, so that no import counts.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from benchmarks.flight_tables import write_tables
from benchmarks.machine import peak_mib
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from components._data.sources.registry import open_source

_WARM_UP_ROWS = 1_000
_BATCH = 65_536
_LABEL = "distance"


def main() -> None:
    """Read the table that the command line names."""
    way, kind, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    read = _read_with_naru if way == "naru" else _BARE[kind]
    with tempfile.TemporaryDirectory() as folder:
        read(kind, write_tables(Path(folder), _WARM_UP_ROWS, [kind])[kind])
    rows, inference, seconds = read(kind, file)
    print(json.dumps({"rows": rows, "inference_seconds": inference, "seconds": seconds, "peak_mib": peak_mib()}))


def _read_with_naru(kind: str, file: Path) -> tuple[int, float, float]:
    files = open_source(str(file)).list_files("all")
    table = open_format(Data(source=str(file), format=kind), files[0])
    rejected: list[object] = []
    began = time.process_time()
    schema = table.infer_schema(files, _LABEL)
    inferred = time.process_time()
    batches = table.read_rows(files[0], schema, _LABEL, rejected.append, (), FileTally())
    rows = sum(rows.examples.num_rows for rows in batches) + len(rejected)
    return rows, inferred - began, time.process_time() - inferred


def _timed(read: Callable[[Path], int]) -> Callable[[str, Path], tuple[int, float, float]]:
    def timed(kind: str, file: Path) -> tuple[int, float, float]:
        began = time.process_time()
        rows = read(file)
        return rows, 0.0, time.process_time() - began

    return timed


def _bare_parquet(file: Path) -> int:
    return sum(batch.num_rows for batch in pq.ParquetFile(file).iter_batches(_BATCH, use_threads=False))


def _bare_csv(file: Path) -> int:
    options = pa_csv.ReadOptions(use_threads=False, block_size=4 << 20)
    with pa_csv.open_csv(file, read_options=options) as batches:
        return sum(batch.num_rows for batch in batches)


def _bare_jsonl(file: Path) -> int:
    return int(
        pa_json.read_json(file, read_options=pa_json.ReadOptions(use_threads=False, block_size=8 << 20)).num_rows
    )


def _bare_avro(file: Path) -> int:
    import fastavro

    with file.open("rb") as stream:
        return sum(1 for _ in fastavro.reader(stream))


_BARE = {
    "parquet": _timed(_bare_parquet),
    "csv": _timed(_bare_csv),
    "jsonl": _timed(_bare_jsonl),
    "avro": _timed(_bare_avro),
}

if __name__ == "__main__":
    main()
