"""The rows both sides get: twelve CSV files for us, and the split that we make of them, as CSV, for the peer.

    build/bench/data/COPIES/months/flights-01.csv ... flights-12.csv (a further copy has the next twelve spans)
    build/bench/data/COPIES/splits/{train,eval,test}/copy-1.csv ...

Our split goes by a row's content, so the copies of a row land in one split, as they do when the peer's files are copied.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import load_project
from components.ingest.ingest import ingest_examples

FLIGHTS = Path(__file__).resolve().parents[1] / "examples" / "flights"
MONTHS = 12


def prepare(folder: Path, copies: int) -> dict[str, int]:
    """Make the files of `folder` that are not there yet, with the rows repeated `copies` times.

    Returns:
        Rows by split.
    """
    if not (FLIGHTS / "data" / f"flights-{MONTHS}.csv").exists():
        subprocess.run([sys.executable, str(FLIGHTS / "make_data.py")], check=True, stdout=subprocess.DEVNULL)
    if not folder.exists():
        aside = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        _write_months(aside / "months", copies)
        _write_splits(aside, copies)
        os.replace(aside, folder)
    return {split: copies * _rows(folder / "splits" / split / "copy-1.csv") for split in SPLITS}


def _write_months(folder: Path, copies: int) -> None:
    folder.mkdir(parents=True)
    for copy in range(copies):
        for month in range(1, MONTHS + 1):
            span = copy * MONTHS + month
            shutil.copyfile(FLIGHTS / "data" / f"flights-{month:02d}.csv", folder / f"flights-{span:02d}.csv")


def _write_splits(folder: Path, copies: int) -> None:
    project = load_project(FLIGHTS, {"data.source": str(folder / "months" / "flights-{span}.csv")})
    project = project.model_copy(update={"data": project.data.model_copy(update={"spans": f"1-{MONTHS}"})})
    with tempfile.TemporaryDirectory() as scratch:
        examples, quarantine = Path(scratch) / "examples", Path(scratch) / "quarantine"
        examples.mkdir()
        quarantine.mkdir()
        ingest_examples(project, examples=examples, quarantine=quarantine)
        for split in SPLITS:
            target = folder / "splits" / split
            target.mkdir(parents=True)
            _write_csv(pa.Table.from_batches(read_batches(examples, split)), target / "copy-1.csv")
            for copy in range(2, copies + 1):
                shutil.copyfile(target / "copy-1.csv", target / f"copy-{copy}.csv")


def _write_csv(table: pa.Table, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:  # CsvExampleGen does not take a quoted header
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*table.to_pydict().values(), strict=True))


def _rows(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines) - 1
