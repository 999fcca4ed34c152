"""The lifecycle of the flights beside the same command at an earlier commit: what all that was added since costs a run.

    python -m benchmarks.earlier --rounds 5

The commit is checked out under `build/bench`, with an environment of its own from its own pins. Each round is one fresh run of
either version over a copy of its own `examples/flights`, without earlier runs; who begins changes. It prints a line for each run, adds
`lifecycle_of_before` to `results/data.json`, and ends with exit code 1 when the bound is broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.data_results import add_results
from benchmarks.naru_run import ROOT, environment
from benchmarks.process_watch import Watched, watch

WORK = ROOT / "build" / "bench" / "earlier"
COMMIT = "fcdfe8964d291e73a5a3d2680c1609cafea64cba"
"""Before other formats, sources and splits than CSV files by hash came in."""
MOST = 1.05
"""Most that a run may take, as a share of the earlier one's time."""


def main() -> int:
    """Measure, print, add to the results; returns 1 when the bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.earlier", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of each version that count, after one that does not"
    )
    parser.add_argument("--commit", default=COMMIT, help="the earlier version")
    wanted = parser.parse_args()
    roots = {"before": _check_out(wanted.commit), "now": ROOT}
    projects = {side: _copy_project(root, WORK / side) for side, root in roots.items()}
    runs: dict[str, list[Watched]] = {side: [] for side in roots}
    for round_ in range(-1, wanted.rounds):  # the first one fills the disk's cache and compiles what is imported
        for side in sorted(roots, reverse=bool(round_ % 2)):
            run = _run(roots[side], projects[side])
            print(
                f"{_name(round_):<8} {side:<6} {run.seconds:6.1f} s, {run.cpu_seconds:6.1f} of processors", flush=True
            )
            if round_ >= 0:
                runs[side].append(run)
    ratio = compare(runs)
    medians = {side: _medians(of_side) for side, of_side in runs.items()}
    add_results({"lifecycle_of_before": ratio, "lifecycle": {"commit": wanted.commit, **medians}})
    print(f"lifecycle_of_before is {ratio:.3f}, at most {MOST}")
    return int(ratio > MOST)


def compare(runs: Mapping[str, Sequence[Watched]]) -> float:
    """Return the time of a run as a share of the earlier one's: the median over the rounds."""
    return median(now.seconds / before.seconds for now, before in zip(runs["now"], runs["before"], strict=True))


def _name(round_: int) -> str:
    return f"round {round_ + 1}" if round_ >= 0 else "warm up"


def _medians(runs: Sequence[Watched]) -> dict[str, Any]:
    return {
        name: median(getattr(run, name) for run in runs) for name in ("seconds", "cpu_seconds", "others_cpu_seconds")
    }


def _check_out(commit: str) -> Path:
    """Return the checkout of a commit, with its environment."""
    root = WORK / commit[:12]
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        _call(["git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(root)], ROOT)
    _call(["git", "checkout", "--quiet", commit], root)
    _call(["tools/setup"], root)
    return root


def _copy_project(root: Path, project: Path) -> Path:
    """Copy the flights: the runs of the project in the checkout are a person's own."""
    _call([".venv/bin/python", "examples/flights/make_data.py"], root)
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(root / "examples" / "flights", project, ignore=shutil.ignore_patterns(".naru"))
    return project


def _call(command: list[str], folder: Path) -> None:
    if done := subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {done} in {folder}")


def _run(root: Path, project: Path) -> Watched:
    shutil.rmtree(project / ".naru", ignore_errors=True)
    command = [str(root / ".venv" / "bin" / "python"), "-m", "pipelines", "run", str(project), "--json"]
    own = {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = watch(
        command,
        folder=root,
        environment={**own, "PYTHONPATH": str(root)},
        log=WORK / "log",
        output=WORK / "record.json",
        closely=False,
    )
    record = json.loads((WORK / "record.json").read_text(encoding="utf-8") or "{}")
    if done.exit_code or not record.get("deployed"):
        raise SystemExit(f"naru run in {root} ended with exit code {done.exit_code}; see {WORK / 'log'}")
    return done


if __name__ == "__main__":
    sys.exit(main())
