"""The search over kinds of model on a table in memory: what a comparison with other tools calls.

It goes through `components.tune` as the stage does; only ingest, validate and transform are left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.transformed_rows import TransformedRows, TransformedWriter
from components.tune.leaderboard import Leaderboard, choose
from components.tune.search_kinds import run_search

HELD_OUT = 0.2
"""Share of the rows that the search judges by."""


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        predict: Scores rows as the task has them: [rows], or [rows, classes].
        leaderboard: The kinds, the best first.
        trials: Models that were fitted.
    """

    predict: Callable[[pd.DataFrame], NDArray[Any]]
    leaderboard: Leaderboard
    trials: int


def find_model(
    rows: pd.DataFrame, labels: NDArray[Any], task: str, settings: Mapping[str, Any], folder: Path, seed: int = 7
) -> Found:
    """Search for a model.

    Args:
        rows: The rows: numbers, of which NaN are missing, and texts, of which '' or None are.
        labels: Index of the class, from 0 on, or number, [rows].
        task: Name of the task.
        settings: What `tune` of project.yaml says, as in `{"models": "auto", "minutes": 1}`.
        folder: An empty folder for files that the predictor needs.
        seed: Seed of the split and of the models.
    """
    project = Project.model_validate(
        {
            "name": "table",
            "task": task,
            "label": "label",
            "data": {"source": "table.csv"},
            "code": {"framework": "auto"},
            "train": {"seed": seed},
            "tune": dict(settings),
        }
    )
    kind = TASKS[task]
    classes = [str(index) for index in range(int(labels.max()) + 1)] if kind.has_classes else []
    is_held_out = _split(labels, seed, by_class=kind.has_classes)
    train, held_out = (
        _write(folder / f"{name}.parquet", rows[chosen], labels[chosen])
        for name, chosen in (("train", ~is_held_out), ("eval", is_held_out))
    )
    data = TrainingData(train, held_out, folder)
    search = run_search(project, data, classes, folder)
    chosen, board = choose(search, train, classes)
    candidate = chosen.candidate
    model = candidate.framework.build(candidate.code, data, chosen.values, task=kind, classes=classes, seed=seed)
    model.fit(data, project.train)

    def predict(others: pd.DataFrame) -> NDArray[Any]:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            return model.score(_write(Path(scratch) / "rows.parquet", others, np.zeros(len(others), labels.dtype)))

    return Found(predict, board, len(search.attempts))


def _split(labels: NDArray[Any], seed: int, *, by_class: bool) -> NDArray[np.bool_]:
    """Hold out the same share of each class, or of all rows, [rows]."""
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for value in np.unique(labels) if by_class else [None]:
        own = np.arange(len(labels)) if value is None else np.flatnonzero(labels == value)
        held_out[random.permutation(own)[: round(len(own) * HELD_OUT)]] = True
    return held_out


def _write(file: Path, rows: pd.DataFrame, labels: NDArray[Any]) -> TransformedRows:
    arrays: dict[str, NDArray[Any]] = {
        str(name): values.fillna("").astype(str).to_numpy(object)
        if values.dtype.kind == "O" or isinstance(values.dtype, pd.CategoricalDtype)
        else values.to_numpy(np.float32)
        for name, values in rows.items()
    }
    with TransformedWriter(file) as writer:
        writer.write(arrays, labels.astype(np.int64 if labels.dtype.kind in "iu" else np.float32))
    return TransformedRows(file)
