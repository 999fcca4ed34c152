"""The whole lifecycle, side by side with TFX's LocalDagRunner: `make bench`. See README.md for what is compared.

python -m benchmarks.lifecycle --rounds 3
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import naru_run, tfx_run
from benchmarks.data import prepare
from benchmarks.machine import describe_machine
from benchmarks.measured_run import Run
from benchmarks.process_watch import alone
from benchmarks.summary import COUNTERPARTS, summarise, table
from components._core.files import write_json

WORK = naru_run.ROOT / "build" / "bench"
RESULTS = Path(__file__).resolve().parent / "results" / "lifecycle.json"
NOTES = {
    "seconds": "median over the rounds of the whole command, all nine of our stages and all eight of theirs, one copy",
    "per_further_copy": "slope of the seconds from the first stage's start to the end of transform over the copies",
    "rss": "peak of the process tree in MiB, from runs of their own, whose times do not count; pages that forked processes share count once (PSS); rss_summed_* adds up each process's resident memory",
    "to_transform": "the peer ends after Transform where rows are repeated; ours runs whole",
}


def main() -> int:
    """Measure, print the table, write the results; returns 1 when a floor is broken."""
    wanted = _arguments()
    _warm()
    runs = _measure_one_copy(wanted) + _measure_growth(wanted) + _measure_memory(wanted)
    found = summarise(runs)
    machine = describe_machine(tfx_run.PYTHON)
    record = {"rounds": wanted.rounds, "steps": wanted.steps, "notes": NOTES, "counterparts": COUNTERPARTS}
    write_json(wanted.output, {**found, **record, "machine": machine, "runs": [run.to_dict() for run in runs]})
    print(
        f"\n{table(found)}\n\n{machine['cores']} cores, {machine['processor']}, {machine['memory_gib']} GiB", flush=True
    )
    return 0 if all(floor["holds"] for floor in found["floors"]) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lifecycle", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved runs of each side with one copy of the rows")
    parser.add_argument("--copies", type=int, nargs="+", default=[5, 10], help="how often the rows are repeated")
    parser.add_argument("--further-rounds", type=int, default=1, help="rounds with the rows repeated")
    parser.add_argument("--steps", type=int, default=256, help="optimiser steps on both sides")
    parser.add_argument(
        "--lock", type=Path, help="hold this file's lock during each pair of runs, where others keep to it"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args()


def _warm() -> None:
    """Import everything once on both sides, so that no run pays for compiling Python files or reading cold disks."""
    if not tfx_run.PYTHON.exists():
        raise SystemExit("TFX is not installed; `make bench` does it, or: make benchmarks/.venv-tfx")
    for python, imports, environment in (
        (Path(sys.executable), naru_run.IMPORTS, naru_run.environment()),
        (tfx_run.PYTHON, tfx_run.IMPORTS, tfx_run.environment()),
    ):
        subprocess.run([str(python), "-c", imports], env=environment, check=True, capture_output=True)


def _measure_one_copy(wanted: argparse.Namespace) -> list[Run]:
    return [run for round_ in range(wanted.rounds) for run in _both(wanted, 1, round_)]


def _measure_growth(wanted: argparse.Namespace) -> list[Run]:
    rounds = range(wanted.further_rounds)
    return [run for round_ in rounds for copies in wanted.copies for run in _both(wanted, copies, round_)]


def _measure_memory(wanted: argparse.Namespace) -> list[Run]:
    """In runs of their own: looking so closely takes processor time from what is looked at."""
    most = max(wanted.copies)
    return _both(wanted, 1, 0, closely=True) + _both(wanted, most, 0, closely=True, peer=False)


def _both(
    wanted: argparse.Namespace, copies: int, round_: int, *, closely: bool = False, peer: bool = True
) -> list[Run]:
    """Ours, then theirs, on the same rows."""
    data = WORK / "data" / str(copies)
    rows = prepare(data, copies)
    message = f"{sum(rows.values()):>9,} rows, {'memory' if closely else f'round {round_ + 1}'}"
    with alone(wanted.lock):
        runs = [_measured(message, lambda home: naru_run.run_ours(home, data, copies, wanted.steps, closely=closely))]
        if peer:
            runs.append(
                _measured(
                    message, lambda home: tfx_run.run_theirs(home, data, copies, wanted.steps, rows, closely=closely)
                )
            )
    return runs


def _measured(round_name: str, run: Callable[[Path], Run]) -> Run:
    home = WORK / "run"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    done = run(home)
    stages = " ".join(f"{stage.name} {stage.seconds:.1f}" for stage in done.stages)
    peak = "" if done.timed else f", {done.peak_mib:,.0f} MiB"
    print(f"{round_name}  {done.side:<4} {done.seconds:6.1f} s{peak}: {stages}", flush=True)
    return done


if __name__ == "__main__":
    sys.exit(main())
