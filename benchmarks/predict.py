"""Batch prediction beside a loop by hand: rows per processor second on one core, and peak memory with ten times the rows.

    python -m benchmarks.predict --rounds 3

Both sides predict the same Parquet file of flights with the same model in turn, in processes of their own. It prints a table, writes
`results/predict.json`, and ends with exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks.machine import describe_machine
from components._core.files import write_json
from components._core.store.ledger import current_champion

ROOT = Path(__file__).resolve().parents[1]
FLIGHTS = ROOT / "examples" / "flights"
FOLDER = Path("build/bench/predict")
RESULTS = Path(__file__).resolve().parent / "results" / "predict.json"
LEAST_OF_LOOP = 0.7
"""Share of the loop's rows per second that must be kept."""
MOST_GROWTH = 1.2
"""Most that memory may grow with ten times the rows."""
_LABEL = "late"
_CODE = ("preprocessing.py", "model.py")
_PROJECT = """
name: flights
task: binary_classification
label: late
data: {source: "data/flights-{span}.csv", spans: 1-2}
train: {epochs: 2, batch_size: 1024, hyperparameters: {learning_rate: 0.002, embedding: 8}}
gates: {model: {thresholds: {auc: {min: 0.7}}}, serving: {p95_ms: 10000}}
"""


@dataclass(frozen=True)
class Predicted:
    """One process that predicted one table.

    Attributes:
        rows: Rows that were answered.
        seconds: Processor seconds, of which loading the model is a part.
        wall_seconds: Seconds of the clock.
        peak_mib: Peak memory of the process, interpreter and libraries included.
    """

    rows: int
    seconds: float
    wall_seconds: float
    peak_mib: float


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, default=10, help="Times the rows of the larger table")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    model = train_champion(FOLDER)
    table = write_table(FOLDER, arguments.rows)
    sides: dict[str, list[Predicted]] = {"naru": [], "loop": []}
    for number in range(arguments.rounds):
        for side in sorted(sides, reverse=number % 2 == 0):  # who begins changes
            sides[side].append(_predict(side, model, table))
    large = _predict("naru", model, write_table(FOLDER, arguments.rows * arguments.growth))
    found = {
        "of_loop": of_loop(sides),
        "rss_growth": large.peak_mib / median(each.peak_mib for each in sides["naru"]),
    }
    result = {
        **found,
        "rows": arguments.rows,
        "growth": arguments.growth,
        "sides": {side: _summary(runs) for side, runs in sides.items()},
        "large": asdict(large),
        "machine": describe_machine(None),
    }
    write_json(arguments.output, result)
    print(_table(result))
    broken = broken_bounds(found)
    print("\n".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


def train_champion(folder: Path) -> Path:
    """Return the model of a small champion of the flights; it is trained once."""
    store = folder / ".naru" / "store"
    if not (folder / "project.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not (FLIGHTS / "data" / "flights-12.csv").exists():
            subprocess.run([sys.executable, str(FLIGHTS / "make_data.py")], check=True, stdout=subprocess.DEVNULL)
        for name in _CODE:
            shutil.copy(FLIGHTS / name, folder)
        (folder / "data").symlink_to(FLIGHTS / "data")
        (folder / "project.yaml").write_text(_PROJECT)
    champion = current_champion(str(store), "flights")
    if champion is None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NARU_")}
        command = [sys.executable, "-m", "pipelines", "run", str(folder), "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
        champion = current_champion(str(store), "flights")
    if champion is None:
        raise SystemExit("the model of the benchmark was not deployed: see its report")
    return Path(champion.model.removeprefix("file://"))


def write_table(folder: Path, rows: int) -> Path:
    """Write so many rows of flights as Parquet, the months again and again; returns the file."""
    file = folder / f"flights-{rows}.parquet"
    if file.exists():
        return file
    months = [csv.read_csv(path) for path in sorted((FLIGHTS / "data").glob("flights-*.csv"))]
    year, left = (
        pa.concat_tables(months).drop([_LABEL]),
        rows,
    )  # with labels there would be metrics, which a loop does not have
    with pq.ParquetWriter(file.with_suffix(".partial"), year.schema) as writer:
        while left > 0:
            part = year.slice(0, left)
            writer.write_table(part, row_group_size=100_000)
            left -= part.num_rows
    file.with_suffix(".partial").rename(file)
    return file


def _predict(side: str, model: Path, table: Path) -> Predicted:
    command = [sys.executable, "-m", "benchmarks.predict_side", side, str(model), str(table)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=quiet)
    return Predicted(**json.loads(done.stdout.splitlines()[-1]))


def of_loop(sides: dict[str, list[Predicted]]) -> float:
    """Return our rows per processor second as a share of the loop's: the median over the rounds."""
    return median(loop.seconds / naru.seconds for naru, loop in zip(sides["naru"], sides["loop"], strict=True))


def broken_bounds(found: dict[str, float]) -> list[str]:
    """Return a sentence for each bound that is broken."""
    broken = []
    if found["of_loop"] < LEAST_OF_LOOP:
        broken.append(f"of_loop is {found['of_loop']:.2f}, at least {LEAST_OF_LOOP}")
    if found["rss_growth"] > MOST_GROWTH:
        broken.append(f"rss_growth is {found['rss_growth']:.2f}, at most {MOST_GROWTH}")
    return broken


def _summary(runs: list[Predicted]) -> dict[str, Any]:
    middle = {name: median(asdict(run)[name] for run in runs) for name in asdict(runs[0])}
    return {**middle, "rows_per_second": middle["rows"] / middle["seconds"]}


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'side':9}{'rows/s':>12}{'seconds':>10}{'MiB':>8}"]
    lines += [
        f"{side:9}{found['rows_per_second']:12,.0f}{found['seconds']:10.1f}{found['peak_mib']:8,.0f}"
        for side, found in result["sides"].items()
    ]
    large = result["large"]
    lines.append(f"naru, {result['growth']} times the rows: {large['peak_mib']:,.0f} MiB ({result['rss_growth']:.2f})")
    lines.append(f"rows per second of the loop's: {result['of_loop']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
