"""Flights-like tables of any size, in every format that is measured: 14 numbers, 4 texts and a time a row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

_BLOCK = 1 << 16
_CARRIERS = ["UA", "AA", "B6", "DL", "EV", "MQ", "US", "9E", "WN", "VX"]
_AIRPORTS = [f"{a}{b}{c}" for a in "ABCDE" for b in "ILOR" for c in "DKXYZ"]


def write_tables(folder: Path, rows: int, kinds: list[str]) -> dict[str, Path]:
    """Write the tables that are not there yet.

    Args:
        folder: Where.
        rows: Number of rows.
        kinds: Names of formats.

    Returns:
        The file of each format.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"flights-{rows}.{kind}" for kind in kinds}
    for kind, file in files.items():
        if not file.exists():
            aside = file.with_name(f"{file.name}.partial")
            _WRITERS[kind](aside, rows)
            os.replace(aside, file)
    return files


def _blocks(rows: int) -> Iterator[pa.Table]:
    random = np.random.default_rng(7)
    for begin in range(0, rows, _BLOCK):
        yield _block(random, min(_BLOCK, rows - begin))


def _block(random: np.random.Generator, rows: int) -> pa.Table:
    minutes = random.integers(0, 525_600, rows)
    delays = random.normal(8, 40, rows).round()
    columns = {
        "year": np.full(rows, 2013),
        "month": minutes // 43_800 + 1,
        "day": minutes // 1_440 % 28 + 1,
        "dep_time": minutes % 1_440,
        "sched_dep_time": (minutes - 5) % 1_440,
        "dep_delay": pa.array(delays, mask=random.random(rows) < 0.02),
        "arr_time": (minutes + 180) % 1_440,
        "sched_arr_time": (minutes + 175) % 1_440,
        "arr_delay": pa.array(delays + random.normal(0, 10, rows).round(1), mask=random.random(rows) < 0.03),
        "carrier": pa.array(_CARRIERS).take(pa.array(random.integers(0, len(_CARRIERS), rows))),
        "flight": random.integers(1, 8_500, rows),
        "tailnum": [f"N{number}" for number in random.integers(100, 4_100, rows)],
        "origin": pa.array(_AIRPORTS[:3]).take(pa.array(random.integers(0, 3, rows))),
        "dest": pa.array(_AIRPORTS).take(pa.array(random.integers(0, len(_AIRPORTS), rows))),
        "air_time": random.normal(150, 90, rows).round(1),
        "distance": random.integers(80, 5_000, rows),
        "hour": minutes % 1_440 // 60,
        "minute": minutes % 60,
        "time_hour": pa.array(1_356_998_400 + minutes // 60 * 3_600, pa.timestamp("s")),
    }
    return pa.table(columns)


def _write_parquet(path: Path, rows: int) -> None:
    writer = None
    for block in _blocks(rows):
        writer = writer or pq.ParquetWriter(path, block.schema, version="2.6")
        writer.write_table(block)
    if writer is not None:
        writer.close()


def _write_csv(path: Path, rows: int) -> None:
    writer = None
    for block in _blocks(rows):
        writer = writer or pa_csv.CSVWriter(path, block.schema)
        writer.write_table(block)
    if writer is not None:
        writer.close()


def _write_jsonl(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for block in _blocks(rows):
            lines.writelines(json.dumps(row, default=str) + "\n" for row in block.to_pylist())


def _write_avro(path: Path, rows: int) -> None:
    import fastavro

    kinds = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}
    time = {"type": "long", "logicalType": "timestamp-micros"}
    fields = [
        {"name": field.name, "type": ["null", kinds.get(field.type, time)]}
        for field in _block(np.random.default_rng(7), 1).schema
    ]
    schema = fastavro.parse_schema({"type": "record", "name": "flight", "fields": fields})
    with path.open("wb") as stream:
        fastavro.writer(stream, schema, (row for block in _blocks(rows) for row in block.to_pylist()), codec="snappy")


_WRITERS = {"parquet": _write_parquet, "csv": _write_csv, "jsonl": _write_jsonl, "avro": _write_avro}
