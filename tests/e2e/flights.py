"""A small project of real flights in folders of its own: for the cluster, for this machine, and with one thing wrong."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tests.containers.engine import ROOT

NAME, DAYS, TABLE, LOOP, LIVE = "e2e-flights", "e2e-days", "e2e-table", "e2e-loop", "e2e-live"
"""Names of the projects: of rows in CSV files, of days in Parquet files, of a table of PostgreSQL, of the loop, of live tests."""
ROWS_PER_SPAN = 1_500
_EXAMPLE = ROOT / "examples" / "flights"
_PROJECT = """
name: {name}
task: binary_classification
label: late
data: {{source: "{source}", {data}}}
train: {{epochs: 2, batch_size: 128, hyperparameters: {{learning_rate: 0.005, embedding: 4}}}}
gates: {{model: {{thresholds: {{auc: {{min: 0.7}}}}, slices: [origin]}}}}
serve: {{resources: {{requests: {{cpu: 50m, memory: 300Mi}}, limits: {{cpu: "2", memory: 2Gi}}}}}}
"""
_SCHEDULE = """
triggers:
  schedules:
    - {{name: often, cron: "{cron}", parameters: {{epochs: 1}}}}
"""
BROKEN = "def preprocessing_fn(inputs):\n    raise RuntimeError('the tests on a cluster want this')\n"


def write_project(folder: Path, source: str, *, name: str = NAME, cron: str = "", data: str = "spans: 1-2") -> Path:
    """The project's folder, with its two functions; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in ("preprocessing.py", "model.py"):
        shutil.copy(_EXAMPLE / code, folder)
    text = _PROJECT.format(name=name, source=source, data=data) + (_SCHEDULE.format(cron=cron) if cron else "")
    (folder / "project.yaml").write_text(text)
    return folder


def write_rows(folder: Path) -> Path:
    """Two spans of rows, and one whose label has a third value: `flights-1.csv`, `flights-2.csv`, `blocked-1.csv`."""
    folder.mkdir(parents=True)
    for month in (1, 2):
        lines = read_month(month)
        rows = lines[1 :: len(lines) // ROWS_PER_SPAN][:ROWS_PER_SPAN]
        (folder / f"flights-{month}.csv").write_text("\n".join([lines[0], *rows, ""]))
    rows[::5] = [row[:-1] + "2" for row in rows[::5]]  # the label is the last column
    (folder / "blocked-1.csv").write_text("\n".join([lines[0], *rows, ""]))
    return folder


def read_month(month: int) -> list[str]:
    """The lines of a month, its header first."""
    if not (_EXAMPLE / "data" / "flights-12.csv").exists():
        subprocess.run([sys.executable, _EXAMPLE / "make_data.py"], check=True, capture_output=True)
    return (_EXAMPLE / "data" / f"flights-{month:02d}.csv").read_text().splitlines()


def read_rows(month: int, count: int) -> pa.Table:
    """So many flights of a month, spread over it, with their label."""
    lines = read_month(month)
    return _to_table([lines[0], *lines[1 :: len(lines) // count][:count]])


def read_day(day: int) -> pa.Table:
    """The flights of a day in January."""
    table = _to_table(read_month(1))
    return table.filter(pc.equal(table["day"], day))


def _to_table(lines: list[str]) -> pa.Table:
    return csv.read_csv(io.BytesIO("\n".join(lines).encode()))
