"""Start a run in KFP's own page, as a person does; the browser's library has an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.containers.engine import find_uv
from tests.e2e.environment import Environment

_HERE = Path(__file__).parent


def make_python(folder: Path) -> Path:
    """The Python of an environment that has Playwright and nothing else."""
    python = folder / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(folder)],
        ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(_HERE / "requirements.txt")],
    ):
        subprocess.run([find_uv(), *command], check=True, timeout=600)
    return python


def start_run_in_page(python: Path, environment: Environment, pipeline: str, parameters: dict[str, str]) -> str:
    """Choose the pipeline, fill in the parameters, press Start; returns the run's id, as the page shows it."""
    asked = {"ui": environment.ui, "browser": environment.browser, "pipeline": pipeline, "parameters": parameters}
    command = [str(python), str(_HERE / "in_browser.py"), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout.strip()
