"""Formats of tables beside the bare readers under them: rows per processor second on one core, and peak memory.

    python -m benchmarks.formats --rounds 5

Both sides read the same file in turn, in processes of their own. It prints a table, writes `results/data.json`, and ends
with exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.data_results import DATA_RESULTS, add_results
from benchmarks.flight_tables import write_tables

FOLDER = Path("build/bench/tables")
KINDS = ["parquet", "csv", "avro", "jsonl"]
BOUNDS = {"parquet_of_bare": 0.6, "csv_of_bare": 0.4, "avro_of_bare": 0.4}
"""Share of the bare reader's rows per second that must be kept."""
MOST_GROWTH = 1.2
"""Most that memory may grow from 1 to 30 million rows."""


@dataclass(frozen=True)
class Reading:
    """One process that read one table.

    Attributes:
        rows: Rows that were read.
        inference_seconds: Processor seconds to infer the schema.
        seconds: Processor seconds to read the rows.
        peak_mib: Peak memory of the process, interpreter and libraries included.
    """

    rows: int
    inference_seconds: float
    seconds: float
    peak_mib: float


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--growth", type=int, default=30, help="Times the rows of the larger Parquet file")
    parser.add_argument("--output", type=Path, default=DATA_RESULTS)
    arguments = parser.parse_args()
    files = write_tables(FOLDER, arguments.rows, arguments.formats)
    measured = {kind: _measure(kind, file, arguments.rounds) for kind, file in files.items()}
    found = {f"{kind}_of_bare": of_bare(sides) for kind, sides in measured.items()}
    if "parquet" in measured:
        large = write_tables(FOLDER, arguments.rows * arguments.growth, ["parquet"])["parquet"]
        small = median(reading.peak_mib for reading in measured["parquet"]["naru"])
        found["rss_30m_over_1m"] = _read("naru", "parquet", large).peak_mib / small
    result = {
        **found,
        "rows": arguments.rows,
        "formats": {
            kind: {side: _summary(readings) for side, readings in sides.items()} for kind, sides in measured.items()
        },
    }
    add_results(result, arguments.output)
    print(_table(result))
    broken = broken_bounds(found)
    print("\n".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


def _measure(kind: str, file: Path, rounds: int) -> dict[str, list[Reading]]:
    sides: dict[str, list[Reading]] = {"naru": [], "bare": []}
    for number in range(rounds):
        for side in sorted(sides, reverse=number % 2 == 0):  # who begins changes
            sides[side].append(_read(side, kind, file))
    return sides


def _read(side: str, kind: str, file: Path) -> Reading:
    command = [sys.executable, "-m", "benchmarks.format_reader", side, kind, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Reading(**json.loads(done.stdout.splitlines()[-1]))


def of_bare(sides: dict[str, list[Reading]]) -> float:
    """Return our rows per second as a share of the bare reader's: the median over the rounds."""
    return median(bare.seconds / naru.seconds for naru, bare in zip(sides["naru"], sides["bare"], strict=True))


def broken_bounds(found: dict[str, float]) -> list[str]:
    """Return a sentence for each bound that is broken."""
    broken = [
        f"{name} is {found[name]:.2f}, at least {bound}"
        for name, bound in BOUNDS.items()
        if found.get(name, bound) < bound
    ]
    if (growth := found.get("rss_30m_over_1m", 0.0)) > MOST_GROWTH:
        broken.append(f"rss_30m_over_1m is {growth:.2f}, at most {MOST_GROWTH}")
    return broken


def _summary(readings: list[Reading]) -> dict[str, Any]:
    middle = {name: median(asdict(reading)[name] for reading in readings) for name in asdict(readings[0])}
    return {**middle, "rows_per_second": middle["rows"] / middle["seconds"]}


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{'format':9}{'naru rows/s':>14}{'bare rows/s':>14}{'of bare':>9}{'inference s':>13}{'naru MiB':>10}{'bare MiB':>10}"
    ]
    for kind, sides in result["formats"].items():
        naru, bare = sides["naru"], sides["bare"]
        lines.append(
            f"{kind:9}{naru['rows_per_second']:14,.0f}{bare['rows_per_second']:14,.0f}{result[f'{kind}_of_bare']:9.2f}"
            f"{naru['inference_seconds']:13.2f}{naru['peak_mib']:10,.0f}{bare['peak_mib']:10,.0f}"
        )
    if "rss_30m_over_1m" in result:
        lines.append(f"memory of Parquet, many times the rows: {result['rss_30m_over_1m']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
