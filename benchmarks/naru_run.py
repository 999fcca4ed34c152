"""Our side: `naru run` over the flights, as a person runs it, in a fresh project folder with a fresh store."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.data import FLIGHTS
from benchmarks.measured_run import Run, Stage, make_run
from benchmarks.process_watch import watch
from components._frameworks.table import find_framework
from pipelines.local import fork_server

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = "from benchmarks.naru_run import import_all; import_all()"


def run_ours(home: Path, data: Path, copies: int, steps: int, *, closely: bool) -> Run:
    """Run the whole pipeline, all nine stages, and measure it.

    Args:
        home: An empty folder for the project and all that it leaves.
        data: From `data.prepare`.
        copies: How often the rows are repeated there.
        steps: Optimiser steps.
        closely: Sample its memory, at the cost of time.
    """
    write_project(home, data, copies)
    command = [sys.executable, "-m", "pipelines", "run", ".", "--json", "--no-cache", "--set", f"train.steps={steps}"]
    watched = watch(
        command, folder=home, environment=environment(), log=home / "log", closely=closely, output=home / "record.json"
    )
    message = (home / "record.json").read_text(encoding="utf-8")
    if watched.exit_code:
        raise SystemExit(f"naru run ended with exit code {watched.exit_code}: {message or (home / 'log').read_text()}")
    record = json.loads(message)
    if not record["deployed"]:
        raise SystemExit(f"naru run deployed nothing: {record['reason']}")
    return make_run("naru", copies, watched, _stages(record), record["metrics"]["auc"])


def import_all() -> None:
    """Import what a run over the flights imports, in this process."""
    modules = {
        fork_server.FRAMEWORK_IMPORTS: find_framework("keras").imports,
        fork_server.PREPROCESSING_IMPORTS: fork_server.PREPROCESSING,
    }
    first, later = fork_server.plan_imports({name: ",".join(each) for name, each in modules.items()})
    for name in (*first, *(name for names in later.values() for name in names)):
        importlib.import_module(name)


def environment() -> dict[str, str]:
    """This process's, without settings that would lead a run to another store or another way of starting stages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NARU_", "MLFLOW_", "TF_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


def write_project(home: Path, data: Path, copies: int) -> None:
    """The flights as a project of its own, over the files that `data.prepare` made."""
    for name in ("preprocessing.py", "model.py"):
        shutil.copyfile(FLIGHTS / name, home / name)
    project = yaml.safe_load((FLIGHTS / "project.yaml").read_text(encoding="utf-8"))
    project["data"] = {"source": str((data / "months" / "flights-{span}.csv").resolve()), "spans": f"1-{12 * copies}"}
    (home / "project.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")


def _stages(record: dict[str, Any]) -> list[Stage]:
    """From the moments that the run noted for each stage."""
    tasks = next(Path(record["paths"]["run"]).glob("training-*"))
    return [
        _stage(stage, json.loads((tasks / stage["stage"] / "launch.json").read_text())) for stage in record["stages"]
    ]


def _stage(stage: dict[str, Any], moments: dict[str, Any]) -> Stage:
    return Stage(stage["stage"], moments["requested"], moments["ended"], stage["work_seconds"])
