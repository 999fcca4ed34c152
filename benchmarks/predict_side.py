"""Predict one table once, on one core, and print rows, processor seconds and peak memory as JSON.

    python -m benchmarks.predict_side naru MODEL TABLE
    python -m benchmarks.predict_side loop MODEL TABLE

`naru` is what `naru predict` calls; `loop` is what one would write by hand: it reads the same Parquet file, calls the model in batches of
10,000 rows and writes the same columns. A small table was predicted before, so that no import counts; loading the model does.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import peak_mib
from components._core.project.project_file import Project
from components._core.store.file_digests import digest_of_model
from components._core.types.signature import to_arrays
from components._frameworks.table import load_model
from components.predict.destinations.contract import Output
from components.predict.predict import predict_table
from components.predict.versions import ModelVersion

_BATCH = 10_000
_WARM_UP_ROWS = 1_000


def main() -> None:
    """Predict the table that the command line names."""
    way, model, table = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    predict = predict_with_naru if way == "naru" else predict_in_a_loop
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.parquet"
        first = next(pq.ParquetFile(table).iter_batches(_WARM_UP_ROWS))
        pq.write_table(pa.Table.from_batches([first]), small)
        predict(model, small, Path(folder) / "small")
        began, wall = time.process_time(), time.perf_counter()
        rows = predict(model, table, Path(folder) / "out")
        seconds, wall = time.process_time() - began, time.perf_counter() - wall
    print(json.dumps({"rows": rows, "seconds": seconds, "wall_seconds": wall, "peak_mib": peak_mib()}))


def predict_with_naru(model: Path, table: Path, output: Path) -> int:
    """Predict as `naru predict` does; returns the number of answered rows."""
    raw = {"name": "flights", "task": "binary_classification", "label": "late", "data": {"source": str(table)}}
    version = ModelVersion("1", model, digest_of_model(model))
    store = str(output.with_name("store"))
    return int(predict_table(Project.model_validate(raw), version, Output(str(output)), store).manifest["answered"])


def predict_in_a_loop(folder: Path, table: Path, output: Path) -> int:
    """Predict in a plain loop; returns the number of rows."""
    model, writer, count = load_model(folder), None, 0
    for number, batch in enumerate(pq.ParquetFile(table).iter_batches(_BATCH)):
        outputs = model.predict(to_arrays(batch, model.signature.inputs))
        rows = pa.Table.from_batches([batch])
        for name, values in outputs.items():
            rows = rows.append_column(name, pa.array(values))
        rows = rows.append_column("model_version", pa.array(["1"] * len(rows)))
        rows = rows.append_column("request_id", pa.array([f"loop-{number:06d}"] * len(rows)))
        rows = rows.append_column("request_row", pa.array(np.arange(len(rows))))
        writer = writer or pq.ParquetWriter(output, rows.schema, compression="snappy", version="2.6")
        writer.write_table(rows)
        count += len(rows)
    if writer:
        writer.close()
    return count


if __name__ == "__main__":
    main()
