"""The kinds of model of one search, each with what is needed to fit one of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.project.config_types import Hyperparameter
from components._core.project.project_file import Project
from components._core.project.tune_config import Space
from components._core.types.tasks import TASKS
from components._frameworks.contract import Framework, ModelCode, TrainingData
from components._frameworks.model_kinds import ENSEMBLE_KIND, OWN_CODE, PROJECT_KIND, KindInput, find_kind
from components._frameworks.model_rules import searches_own, shipped_kinds, space_of
from components._frameworks.table import check_installed, find_framework
from components._frameworks.transformed_rows import TransformedRows

Values = dict[str, Hyperparameter]


@dataclass(frozen=True)
class Candidate:
    """A kind of model that is searched.

    Attributes:
        kind: Its name in `tune.models`.
        title: What it is, for people.
        order: Its order of simplicity.
        framework: The framework that fits it.
        code: What the framework builds it from.
        known: Values to try first.
        space: Values to go on with; empty: there are none.
        is_baseline: Whether it is tried even when there is no time.
    """

    kind: str
    title: str
    order: int
    framework: Framework
    code: ModelCode
    known: list[Values]
    space: dict[str, Space]
    is_baseline: bool


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes:
        loss: Its loss on the eval rows.
        scores: Its scores of the eval rows, as the task has them.
        found: Hyperparameters that the fit found.
    """

    loss: float
    scores: NDArray[Any]
    found: Values


@dataclass(frozen=True)
class Fitter:
    """Fits models of any candidate on the same rows.

    Attributes:
        project: The project.
        data: The rows to fit and to judge by.
        classes: The label's classes; empty for a task without classes.
    """

    project: Project
    data: TrainingData
    classes: list[str]
    _parts: dict[int, TransformedRows] = field(default_factory=dict)

    def fit(self, candidate: Candidate, values: Values, most: int = 0) -> Fitted:
        """Fit one model.

        Args:
            candidate: Its kind.
            values: Its hyperparameters.
            most: Training rows, at most; 0: all.

        Raises:
            ModelError: When it cannot be fitted.
            UserCodeError: When the project's build_model raises or returns something else.
        """
        data = self.data
        if most:
            part = self._parts.setdefault(most, data.train.thin(most))  # read once for all trials
            data = TrainingData(part, data.held_out, data.transform_graph, data.class_weights)
        model = candidate.framework.build(
            candidate.code,
            data,
            values,
            task=TASKS[self.project.task],
            classes=self.classes,
            seed=self.project.train.seed,
        )
        progress = model.fit(data, self.project.train)
        scores = model.score(data.held_out)
        if not np.isfinite(scores).all():
            raise ModelError("some eval rows have a score that is not a number", remedy="look at build_model")
        return Fitted(progress.epochs[progress.best_epoch]["eval_loss"], scores, model.found_hyperparameters())


def list_candidates(project: Project, code: Path, data: TrainingData) -> list[Candidate]:
    """Return the kinds of a project's search, in the order in which they are tried.

    Args:
        project: The project.
        code: Folder of its code.
        data: The rows.
    """
    given = KindInput(TASKS[project.task], data.is_prepared, data.train.rows)
    found = []
    for kind in shipped_kinds(project):
        framework = find_framework(kind.framework)
        check_installed(framework, f"tune.models: {kind.name}")
        found.append(
            Candidate(
                kind.name,
                kind.title,
                kind.order,
                framework,
                kind.code(given),
                kind.portfolio(given),
                space_of(project, kind, given),
                kind.is_baseline,
            )
        )
    if searches_own(project):
        framework = find_framework(project.code.framework, "code.framework")
        check_installed(framework, "code.framework")
        own = ModelCode(code, project.code.model)
        known = [project.train.hyperparameters]
        title = "the project's build_model"
        found.append(
            Candidate(PROJECT_KIND, title, OWN_CODE, framework, own, known, project.tune.space, is_baseline=True)
        )
    return found


def ensemble_of(
    members: Sequence[tuple[str, Values]], project: Project, data: TrainingData
) -> tuple[Candidate, Values]:
    """Return the kind that averages models of other kinds, and its values.

    Args:
        members: The kinds of its members and their values.
        project: The project.
        data: The rows.
    """
    kind = find_kind(ENSEMBLE_KIND)
    given = KindInput(TASKS[project.task], data.is_prepared, data.train.rows)
    values: Values = {
        f"{place}.{name}": value
        for place, (member, own) in enumerate(members, 1)
        for name, value in {"kind": member, **own}.items()
    }
    framework = find_framework(kind.framework)
    title = f"{kind.title} {len(members)}"
    return Candidate(kind.name, title, kind.order, framework, kind.code(given), [], {}, is_baseline=False), values
