"""Simpler models beside the project's own (`tune.baselines`): a linear model and boosted trees, on rows that transform prepared for it.

They are fitted in a process of their own (`baseline_fits.py`) while the project's model is, by one thread: the model is the same with and
without them, to the byte, and they take what a processor has left. Evaluate compares them.

    <history>/baselines.npz     labels and scores of eval rows: `labels`, `project`, and each baseline by its kind
    <history>/baselines.json    training rows that they were fitted on, and why one is missing
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.types.artifact_files import BASELINE_NOTES, BASELINE_SCORES
from components._frameworks.contract import TrainableModel, TrainingData
from components._frameworks.model_kinds import PROJECT_KIND
from components._frameworks.objective import read_labels
from components._frameworks.transformed_rows import TransformedRows

MOST_ROWS = 50_000
"""Training rows that a baseline is fitted on, and eval rows that models are compared on, at most: drawn evenly."""
MOST_NUMBERS = 500_000
"""Scores that are kept of a model, at most: of many classes those of fewer rows."""
MOST_SECONDS = 900.0
"""How long baselines are waited for once the project's model is fitted."""
_LOST = ""
"""The kind under which it is noted that all of them are missing."""
_PROGRAM = "components.train.baseline_fits"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Baselines:
    """Baselines that are being fitted.

    Attributes:
        process: Fits them.
        folder: Where it writes what it found.
    """

    process: subprocess.Popen[bytes]
    folder: Path

    def save(self, fitted: TrainableModel, data: TrainingData, classes: int, history: Path) -> None:
        """Wait for them, and write their scores beside those of the project's model.

        Args:
            fitted: The project's model.
            data: Its rows.
            classes: Number of the label's classes.
            history: Output of train.
        """
        rows = judged_rows(data.held_out, classes)
        own = fitted.score(rows)
        notes = self._wait()
        # the notes are written last: without them the scores may be half a file
        scores = {} if _LOST in notes["missing"] else dict(np.load(self.folder / BASELINE_SCORES, allow_pickle=False))
        np.savez(history / BASELINE_SCORES, **{"labels": read_labels(rows), PROJECT_KIND: own, **scores})
        write_json(history / BASELINE_NOTES, notes)

    def _wait(self) -> dict[str, Any]:
        try:
            code = self.process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return {"missing": {_LOST: f"not fitted within {MOST_SECONDS / 60:g} minutes"}}
        notes = self.folder / BASELINE_NOTES
        if code or not notes.is_file():
            return {"missing": {_LOST: f"their process ended with {code}; the log has its last words"}}
        found: dict[str, Any] = read_json(notes)
        return found


@contextmanager
def baselines_beside(project: Project, transform_graph: Path, transformed: Path) -> Iterator[Baselines | None]:
    """Fit baselines during a `with` block, which fits the project's model; None where the project wants none."""
    if project.tune.baselines == "off":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="naru-baselines-") as scratch:
        given = [project.to_json(), str(transform_graph), str(transformed), scratch]
        command = [Settings.from_environment().python, "-m", _PROGRAM, json.dumps(given)]
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as process:
            try:
                yield Baselines(process, Path(scratch))
            finally:
                process.terminate()


def judged_rows(held_out: TransformedRows, classes: int) -> TransformedRows:
    """Return the eval rows that models are compared on."""
    return held_out.thin(max(min(MOST_ROWS, MOST_NUMBERS // max(classes, 1)), 1))
