"""A small project of real flights, and a way to run it as a person would."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLIGHTS = ROOT / "examples" / "flights"
ROWS_PER_SPAN = 1_500

PROJECT = """
name: small
task: binary_classification
label: late
data: {source: "flights-{span}.csv", spans: 1-2}
train: {epochs: 2, batch_size: 128, hyperparameters: {learning_rate: 0.005, embedding: 4}}
gates: {model: {thresholds: {auc: {min: 0.7}}, slices: [origin]}, serving: {p95_ms: 10000}}
"""


@dataclass(frozen=True)
class Ran:
    """The result of a command: exit code, JSON from standard output (if any), standard error."""

    code: int
    record: dict[str, Any]
    errors: str

    def verdicts(self) -> dict[str, str]:
        """Verdict by stage."""
        return {state["stage"]: state["verdict"] for state in self.record["stages"]}


def run_naru(*arguments: str, **environment: str) -> Ran:
    """Run `naru run --json` in a separate process."""
    command = [sys.executable, "-m", "pipelines", "run", *arguments, "--json"]
    with tempfile.TemporaryDirectory() as temporary:
        world = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": temporary, **environment}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=world, timeout=600, check=False)
        assert not list(Path(temporary).iterdir()), "a run leaves nothing in the temporary folder"
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, json.loads(done.stdout), done.stderr)


def answer_of(command: str, *arguments: str) -> dict[str, Any]:
    """Run a command with `--json` in a separate process, which must succeed; returns its answer."""
    whole = [sys.executable, "-m", "pipelines", command, *arguments, "--json"]
    world = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(whole, capture_output=True, text=True, cwd=ROOT, env=world, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def months() -> dict[int, str]:
    """The first rows of the first three months, as CSV."""
    if not (FLIGHTS / "data" / "flights-03.csv").exists():
        subprocess.run([sys.executable, str(FLIGHTS / "make_data.py")], check=True, capture_output=True)
    texts = {}
    for month in (1, 2, 3):
        lines = (FLIGHTS / "data" / f"flights-{month:02d}.csv").read_text().splitlines(keepends=True)
        step = len(lines) // ROWS_PER_SPAN  # rows of the whole month, not of its first days
        texts[month] = lines[0] + "".join(lines[1::step][:ROWS_PER_SPAN])
    return texts


@pytest.fixture(scope="session")
def new_project(months: dict[int, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a small flights project in a folder of its own."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        (folder / "project.yaml").write_text(PROJECT)
        for code in ("preprocessing.py", "model.py"):
            shutil.copy(FLIGHTS / code, folder)
        for month, text in months.items():
            (folder / f"flights-{month}.csv").write_text(text)
        return folder

    return make
