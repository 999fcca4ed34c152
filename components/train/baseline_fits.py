"""Fit baselines, in a process that `baselines.py` starts: `python -m components.train.baseline_fits JSON`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components._core.errors import NaruError, first_line
from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.types.artifact_files import BASELINE_NOTES, BASELINE_SCORES, CLASSES
from components._core.types.tasks import TASKS
from components._frameworks.class_weights import weigh_classes
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import KindInput, ModelKind, baseline_kinds
from components._frameworks.table import find_framework
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.train.baselines import MOST_ROWS, judged_rows

Scores = NDArray[np.generic]


def fit_baselines(project: Project, transform_graph: Path, transformed: Path, folder: Path) -> None:
    """Fit them, and write their scores and notes; one that fails is noted and left out."""
    classes: list[str] = read_json(transform_graph / CLASSES)
    train = TransformedRows(transformed_file(transformed, "train"))
    weights = weigh_classes(project.train, classes, train)
    rows = judged_rows(TransformedRows(transformed_file(transformed, "eval")), len(classes))
    data = TrainingData(train.thin(MOST_ROWS), rows, transform_graph, weights)
    scores: dict[str, Scores] = {}
    missing: dict[str, str] = {}
    for kind in baseline_kinds():
        try:
            scores[kind.name] = _fit(project, kind, data, classes)
        except NaruError as error:
            missing[kind.name] = first_line(error)
    np.savez(folder / BASELINE_SCORES, **scores)
    write_json(folder / BASELINE_NOTES, {"rows": data.train.rows, "missing": missing})


def _fit(project: Project, kind: ModelKind, data: TrainingData, classes: list[str]) -> Scores:
    given = KindInput(TASKS[project.task], data.is_prepared, data.train.rows)
    framework, values = find_framework(kind.framework), kind.portfolio(given)[0]
    model = framework.build(
        kind.code(given), data, values, task=TASKS[project.task], classes=classes, seed=project.train.seed
    )
    model.fit(data, project.train)
    return model.score(data.held_out)


def main(text: str) -> None:
    """Fit baselines in this process."""
    raw, *folders = json.loads(text)
    graph, transformed, folder = map(Path, folders)
    fit_baselines(Project.model_validate_json(raw), graph, transformed, folder)


if __name__ == "__main__":
    main(sys.argv[1])
