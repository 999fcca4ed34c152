"""Texts: each finding of validate on faults that were put in, and speed beside a bare reader of the same table: `make bench-texts`.

python -m benchmarks.texts [--rounds 3] [--texts 100000] [--fault-texts 600] [--draws 20]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.naru_run import ROOT
from benchmarks.texts.faults import LEAST, measure_all
from benchmarks.texts.made import english, korean
from benchmarks.texts.side import SIDES
from components._core.files import write_json

RESULTS = ROOT / "benchmarks" / "results" / "texts.json"
LEAST_SHARE = 0.6
"""Rate of ingest beside the bare reader that is aimed at; what is below it is said, and ends with no error."""
_BASE = "arrow"


def main() -> int:
    """Measure, print and write; 1 when a bound of the findings is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.texts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs, in turns")
    parser.add_argument(
        "--texts", type=int, default=100_000, help="texts of the table, half of them Korean; 0: leave the speed out"
    )
    parser.add_argument("--fault-texts", type=int, default=600, help="texts of each set with a fault")
    parser.add_argument("--draws", type=int, default=20, help="clean draws of each set")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    wanted = parser.parse_args()
    faults = measure_all(wanted.fault_texts, wanted.draws)
    speed = _measure_speed(wanted.texts, wanted.rounds) if wanted.texts else {}
    found = {"texts": wanted.texts, "rounds": wanted.rounds, "speed": speed, "findings": faults}
    write_json(wanted.output, {**found, "machine": describe_machine(None, [])})
    return 0 if _holds(faults) else 1


def _measure_speed(count: int, rounds: int) -> dict[str, Any]:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        source = Path(scratch) / "texts.csv"
        _write(source, count)
        size = source.stat().st_size
        runs = [{name: _run(name, source) for name in SIDES} for _ in range(rounds)]
    # per CPU second of all threads: a machine with other work changes the seconds, and hardly these
    rates = {name: statistics.median(count / each[name]["cpu_seconds"] for each in runs) for name in SIDES}
    seconds = {name: statistics.median(each[name]["seconds"] for each in runs) for name in SIDES}
    for name, rate in rates.items():
        share = rate / rates[_BASE]
        print(
            f"{name:<9} {rate:>9,.0f} texts per CPU second, {seconds[name]:.1f} s, {share:.3f} of the bare reader (aim {LEAST_SHARE})",
            flush=True,
        )
    return {
        "bytes": size,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "texts_per_cpu_second": {name: round(rate) for name, rate in rates.items()},
        "share_of_bare_reader": {name: round(rate / rates[_BASE], 3) for name, rate in rates.items()},
        "share_of_ingest_without_texts": {name: round(rate / rates["plain"], 3) for name, rate in rates.items()},
        "peak_mib": {name: round(max(each[name]["peak_mib"] for each in runs)) for name in SIDES},
    }


def _write(source: Path, count: int) -> None:
    draw = random.Random(1)
    texts = [*english(count // 2, 1), *korean(count - count // 2, 1)]
    draw.shuffle(texts)
    with source.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows((text, draw.choice("ab")) for text in texts)


def _run(side: str, source: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.texts.side", side, str(source)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _holds(faults: dict[str, Any]) -> bool:
    of_kinds = [found for of_set in faults.values() for found in of_set["faults"].values()]
    is_found = all(found["warned"] for found in of_kinds)
    is_precise = all(found[name] >= least for found in of_kinds for name, least in LEAST.items() if name in found)
    return is_found and is_precise and not any(of_set["false_alarms"] for of_set in faults.values())


if __name__ == "__main__":
    sys.exit(main())
