"""The rows that models of a search are fitted on and judged by: the eval rows, or by cross-validation each fold of the train rows in turn.

Few eval rows say little about which of two models is better, and choosing by them overfits them. Where rows are few, each train row is therefore scored by a
model that was fitted without it, and the eval rows stay unseen by the search. Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical
Learning" (2009), 7.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import FEW_ROWS
from components._frameworks.model_rules import searches_own
from components._frameworks.objective import read_labels
from components._frameworks.transformed_rows import TransformedRows

USUAL_FOLDS = 5


@dataclass(frozen=True)
class Part:
    """Rows to fit and to judge by.

    Attributes:
        data: Both; its held-out rows judge.
        places: Places of the held-out rows among all rows that models are judged by, [rows].
    """

    data: TrainingData
    places: NDArray[np.int64]


def choose_folds(project: Project, rows: int) -> int:
    """Return the number of folds of a search; 0: models are judged by the eval rows.

    Args:
        project: The project. Without `tune.folds` there are folds where rows are few and were split at random: folds are drawn at
            random, so rows of one group, or later ones, would be on both sides.
        rows: Number of train rows.
    """
    if project.tune.folds is not None:
        return min(project.tune.folds, rows) if rows > 1 else 0
    is_random = project.data.split.kind in ("hash", "stratified")
    return USUAL_FOLDS if is_random and rows < FEW_ROWS and not searches_own(project) and rows >= USUAL_FOLDS else 0


def keeps_both_classes(project: Project, train: TransformedRows) -> bool:
    """Return whether rows of both classes of a binary label are left to fit, whichever fold is held out.

    Raises:
        ConfigError: When they are not, and the project names the folds.
    """
    if not TASKS[project.task].takes_positive or (rarer := int(train.count_labels(2).min())) > 1:
        return True
    if project.tune.folds is None:
        return False
    message = f"found {project.tune.folds}, and the train rows have {rarer} of the rarer class: a fold with all of them leaves none to fit"
    raise ConfigError(message, where="tune.folds", remedy="set 0 to judge models by the eval rows, or read more rows")


def make_parts(data: TrainingData, folds: int, seed: int) -> list[Part]:
    """Divide the rows of a search: one part with the eval rows held out, or one for each fold of the train rows.

    Args:
        data: The rows to fit, and the eval rows.
        folds: Number of folds; 0: none.
        seed: Seed of the folds.
    """
    if not folds:
        return [Part(data, np.arange(data.held_out.rows))]
    assigned = assign_folds(read_labels(data.train), folds, seed)
    parts = []
    for fold in range(folds):
        inside = assigned == fold
        rows = replace(
            data, train=data.train.take(np.flatnonzero(~inside)), held_out=data.train.take(np.flatnonzero(inside))
        )
        parts.append(Part(rows, np.flatnonzero(inside)))
    return parts


def renumber(parts: Sequence[Part]) -> list[Part]:
    """Return parts with the places of their held-out rows among those of all of them."""
    judged = judged_places(parts)
    return [replace(part, places=np.searchsorted(judged, part.places)) for part in parts]


def judged_places(parts: Sequence[Part]) -> NDArray[np.int64]:
    """Return the places of all rows that are held out in one of some parts, in their order."""
    return np.sort(np.concatenate([part.places for part in parts]))


def assign_folds(labels: NDArray[Any], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign rows to folds at random, so that each has its share of every class, or of small and large numbers; returns [rows]."""
    shuffled = np.random.default_rng(seed).random(len(labels))
    assigned = np.empty(len(labels), np.int64)
    assigned[np.lexsort((shuffled, labels))] = np.arange(len(labels)) % folds
    return assigned
