"""Pictures ingested and validated beside Pillow, which only decodes them, and memory with twenty times the pictures: `make bench-pictures`.

python -m benchmarks.pictures [--rounds 3] [--pictures 4000] [--many 200000]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.naru_run import ROOT
from benchmarks.pictures.made import write_pictures
from components._core.files import write_json

RESULTS = ROOT / "benchmarks" / "results" / "pictures.json"
_LEAST_SHARE = 0.6
_MOST_MEMORY = 1.25
"""Peak memory with the many pictures as a multiple of that with a twentieth of them, up to which it is flat: 200 bytes a picture are kept."""
_SMALL_SIDE = 32


def main() -> int:
    """Measure, print and write; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs, in turns")
    parser.add_argument(
        "--pictures", type=int, default=4_000, help="pictures of 224 x 224; four times as many of 64 x 64"
    )
    parser.add_argument("--many", type=int, default=200_000, help="small pictures for the memory; 0: leave it out")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    wanted = parser.parse_args()
    counts = {64: 4 * wanted.pictures, 224: wanted.pictures}
    speeds = {f"{side} x {side}": _measure_speed(side, count, wanted.rounds) for side, count in counts.items()}
    memory = _measure_memory(wanted.many) if wanted.many else {}
    found = {"pictures": counts, "rounds": wanted.rounds, "speed": speeds, "memory": memory}
    write_json(wanted.output, {**found, "machine": describe_machine(None, [])})
    return 0 if _holds(speeds, memory) else 1


def _measure_speed(side: int, count: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=_build()) as scratch:
        folder = Path(scratch) / "pictures"
        write_pictures(folder, count, side)
        measured = [{name: _run(name, folder) for name in ("pillow", "naru")} for _ in range(rounds)]
    rates = {name: [count / each[name]["seconds"] for each in measured] for name in ("pillow", "naru")}
    medians = {name: statistics.median(of_side) for name, of_side in rates.items()}
    share = medians["naru"] / medians["pillow"]
    print(
        f"{side:>3} x {side:<3}  ingest and validate {medians['naru']:>6,.0f} pictures/s, Pillow's decode alone "
        f"{medians['pillow']:>6,.0f}: {share:.2f} of it (at least {_LEAST_SHARE})",
        flush=True,
    )
    return {
        "pictures_per_second": {name: [round(rate, 1) for rate in of_side] for name, of_side in rates.items()},
        "share": round(share, 3),
    }


def _measure_memory(many: int) -> dict[str, Any]:
    peaks = {}
    for count in (many // 20, many):
        with tempfile.TemporaryDirectory(dir=_build()) as scratch:
            folder = Path(scratch) / "pictures"
            write_pictures(folder, count, _SMALL_SIDE)
            peaks[count] = _run("naru", folder)["peak_mib"]
    ratio = peaks[many] / peaks[many // 20]
    print(
        f"memory  {peaks[many // 20]:,.0f} MiB with {many // 20:,} pictures, {peaks[many]:,.0f} MiB with {many:,}: {ratio:.2f} times "
        f"(at most {_MOST_MEMORY})"
    )
    return {"peak_mib": {str(count): round(peak) for count, peak in peaks.items()}, "ratio": round(ratio, 3)}


def _run(side: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.pictures.side", side, str(folder)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=quiet)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _build() -> Path:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    return build


def _holds(speeds: dict[str, Any], memory: dict[str, Any]) -> bool:
    is_fast = all(found["share"] >= _LEAST_SHARE for found in speeds.values())
    return is_fast and (not memory or memory["ratio"] <= _MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
