"""An ingest of a small table with the split that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Check, Outcome
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples


@dataclass(frozen=True)
class Ingested:
    """What ingest made of a table."""

    outcome: Outcome
    folder: Path

    @property
    def manifest(self) -> Manifest:
        return Manifest.load(self.folder)

    def check(self, name: str) -> Check:
        (found,) = [check for check in self.outcome.checks if check.name == name]
        return found

    def rows(self, column: str) -> dict[str, list[Any]]:
        """The values of a column by split."""
        return {
            split: [
                value for batch in read_batches(self.folder, split, [column]) for value in batch[column].to_pylist()
            ]
            for split in SPLITS
        }


Ingest = Callable[..., Ingested]


@pytest.fixture
def split_table(tmp_path: Path) -> Ingest:
    """Ingest a source below the test's folder."""

    def run(source: str, split: dict[str, Any], task: str = "multiclass_classification", **data: Any) -> Ingested:
        folder = tmp_path / "runs" / str(len(list((tmp_path / "runs").glob("*"))))
        for name in ("examples", "quarantine"):
            (folder / name).mkdir(parents=True)
        raw = {"source": str(tmp_path / source), "quarantine_limit": 0.5, "split": split, **data}
        project = parse_project({"name": "p", "task": task, "label": "y", "data": raw})
        outcome = ingest_examples(project, examples=folder / "examples", quarantine=folder / "quarantine")
        return Ingested(outcome, folder / "examples")

    return run
