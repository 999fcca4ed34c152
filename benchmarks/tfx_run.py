"""The peer's side: TFX's LocalDagRunner over the same rows, in a fresh folder, with its caches off."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from benchmarks.data import FLIGHTS
from benchmarks.measured_run import Run, Stage, make_run
from benchmarks.process_watch import watch

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv-tfx" / "bin" / "python"
SCRIPT = HERE / "peer" / "run_tfx.py"
# as TFX's own local examples have it: a process for each core
BEAM = ["--direct_running_mode=multi_processing", "--direct_num_workers=0"]
IMPORTS = "import tensorflow_model_analysis; from tfx import v1"


def run_theirs(home: Path, data: Path, copies: int, steps: int, rows: dict[str, int], *, closely: bool) -> Run:
    """Run the peer's eight components and measure them; with repeated rows only as far as Transform.

    Args:
        home: An empty folder for all that it leaves.
        data: From `data.prepare`.
        copies: How often the rows are repeated there.
        steps: Optimiser steps.
        rows: By split.
        closely: Sample their memory, at the cost of time.
    """
    settings = home / "settings.json"
    settings.write_text(json.dumps(_settings(home, data, copies, steps, rows)), encoding="utf-8")
    command = [str(PYTHON), str(SCRIPT), str(settings)]
    watched = watch(
        command, folder=home, environment=environment(), log=home / "log", closely=closely, output=home / "out"
    )
    if watched.exit_code:
        tail = (home / "log").read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise SystemExit(f"TFX ended with exit code {watched.exit_code}:\n{tail}")
    record = json.loads((home / "record.json").read_text(encoding="utf-8"))
    return make_run("tfx", copies, watched, _stages(record), record.get("auc"))


def environment() -> dict[str, str]:
    """This process's, with the peer's own programs first and none of our code in sight; TFX 1.16 needs Keras 2."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "PYTHONPATH"))}
    path = f"{PYTHON.parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", "TF_USE_LEGACY_KERAS": "1"}


def _settings(home: Path, data: Path, copies: int, steps: int, rows: dict[str, int]) -> dict[str, Any]:
    """What both sides share comes from the flights' own project file."""
    project = yaml.safe_load((FLIGHTS / "project.yaml").read_text(encoding="utf-8"))
    size, gates = project["train"]["batch_size"], project["gates"]["model"]
    return {
        "home": str(home),
        "record": str(home / "record.json"),
        "data": str((data / "splits").resolve()),
        "until_transform": copies > 1,
        "beam": BEAM,
        "steps": steps,
        "eval_steps": rows["eval"] // copies // size + 1,
        "batch_size": size,
        **project["train"]["hyperparameters"],
        "seed": 7,
        "least_auc": gates["thresholds"]["auc"]["min"],
        "slices": gates["slices"],
    }


def _stages(record: dict[str, Any]) -> list[Stage]:
    return [Stage(stage["stage"], stage["began"], stage["ended"]) for stage in record["stages"]]
