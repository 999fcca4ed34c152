"""The kinds of model of one search, each with what is needed to fit one of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
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
from components._frameworks.model_kinds import (
    ENSEMBLE_KIND,
    FEW_ROWS,
    OWN_CODE,
    PROJECT_KIND,
    KindInput,
    find_kind,
)
from components._frameworks.model_rules import searches_own, shipped_kinds, space_of
from components._frameworks.table import check_installed, find_framework
from components._frameworks.transformed_rows import TransformedRows
from components.tune.folds import Part

Values = dict[str, Hyperparameter]
MANY_ROWS = 20_000
"""Training rows from which a trial is first fitted on a part of them."""
_PART = 4


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
    """A fitted model, or with folds one for each of them.

    Attributes:
        loss: Its loss on the rows that it is judged by.
        scores: Its scores of these rows, as the task has them.
        found: Hyperparameters that the fit found; the mean of those of several fits.
    """

    loss: float
    scores: NDArray[Any]
    found: Values


@dataclass(frozen=True)
class Look:
    """A first and cheaper fit, by which a model is given up or not: of a part of many rows, or of the first fold.

    Attributes:
        scores: The scores of the rows that it was judged by.
        places: Their places among all rows that models are judged by.
        fitted: The fit of the first fold, which need not be made again; None: the fit was another one.
    """

    scores: NDArray[Any]
    places: NDArray[np.int64]
    fitted: Fitted | None


@dataclass(frozen=True)
class Fitter:
    """Fits models of any candidate on the same rows.

    Attributes:
        project: The project.
        data: The rows to fit and to judge by.
        classes: The label's classes; empty for a task without classes.
        parts: The rows of each fold that judges; one part without folds.
    """

    project: Project
    data: TrainingData
    classes: list[str]
    parts: Sequence[Part]
    _thinned: dict[int, TransformedRows] = field(default_factory=dict)

    def fit(
        self, candidate: Candidate, values: Values, look: Look | None = None, *, side_by_side: bool = True
    ) -> Fitted:
        """Fit one model, or one for each fold.

        Args:
            candidate: Its kind.
            values: Its hyperparameters.
            look: What came of `look` for the same values.
            side_by_side: Whether the folds may be fitted in threads, which changes no result.

        Raises:
            ModelError: When it cannot be fitted.
            UserCodeError: When the project's build_model raises or returns something else.
        """
        begun = [look.fitted] if look is not None and look.fitted is not None else []
        left = self.parts[len(begun) :]
        apply = self._map if side_by_side and candidate.kind != PROJECT_KIND else map
        fitted = [*begun, *apply(lambda part: self._fit(candidate, values, part.data), left)]
        if len(fitted) == 1:
            return fitted[0]
        return _join(fitted, self.parts)

    def look(self, candidate: Candidate, values: Values) -> Look | None:
        """Make a first and cheaper fit; None where none is worth it. Arguments and errors as in `fit`."""
        first, rows = self.parts[0], self.data.train.rows
        if len(self.parts) > 1:
            fitted = self._fit(candidate, values, first.data)
            return Look(fitted.scores, first.places, fitted)
        if rows < MANY_ROWS:
            return None
        most = -(-rows // _PART)
        train = self._thinned.setdefault(most, self.data.train.thin(most))  # read once for all trials
        return Look(self._fit(candidate, values, replace(self.data, train=train)).scores, first.places, None)

    def _map(self, fit: Callable[[Part], Fitted], parts: Sequence[Part]) -> Iterable[Fitted]:
        """Fit the parts in threads, where a fit has none of its own."""
        threads = self.threads // self.project.tune.workers
        if len(parts) < 2 or threads < 2:
            return map(fit, parts)
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            return list(pool.map(fit, parts))

    @property
    def threads(self) -> int:
        """Fits that can run at a time; 1 where rows are many, since such a fit has threads of its own."""
        return (os.cpu_count() or 1) if self.data.train.rows < FEW_ROWS else 1

    def _fit(self, candidate: Candidate, values: Values, data: TrainingData) -> Fitted:
        model = candidate.framework.build(
            candidate.code,
            data,
            values,
            task=TASKS[self.project.task],
            classes=self.classes,
            seed=self.project.train.seed,
        )
        progress = model.fit(replace(data, is_trial=True), self.project.train)
        scores = model.score(data.held_out)
        if not np.isfinite(scores).all():
            is_own = candidate.kind == PROJECT_KIND
            remedy = "look at build_model" if is_own else f"leave {candidate.kind!r} out of tune.models"
            raise ModelError("some rows that it is judged by have a score that is not a number", remedy=remedy)
        return Fitted(progress.epochs[progress.best_epoch]["eval_loss"], scores, model.found_hyperparameters())


def _join(fitted: Sequence[Fitted], parts: Sequence[Part]) -> Fitted:
    """Join the fits of all folds: scores by the places of rows, the mean loss, the mean of what was found."""
    rows = [len(part.places) for part in parts]
    scores = np.empty((sum(rows), *fitted[0].scores.shape[1:]), fitted[0].scores.dtype)
    for each, part in zip(fitted, parts, strict=True):
        scores[part.places] = each.scores
    found: Values = {
        name: round(float(np.mean([float(each.found[name]) for each in fitted]))) for name in fitted[0].found
    }
    return Fitted(float(np.average([each.loss for each in fitted], weights=rows)), scores, found)


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
    members: Sequence[tuple[str, Values, int]], project: Project, data: TrainingData
) -> tuple[Candidate, Values]:
    """Return the kind that averages models of other kinds, and its values.

    Args:
        members: The kinds of its members, their values and their weights.
        project: The project.
        data: The rows.
    """
    kind = find_kind(ENSEMBLE_KIND)
    given = KindInput(TASKS[project.task], data.is_prepared, data.train.rows)
    values: Values = {
        f"{place}.{name}": value
        for place, (member, own, weight) in enumerate(members, 1)
        for name, value in {"kind": member, "weight": weight, **own}.items()
    }
    framework = find_framework(kind.framework)
    title = f"{kind.title} {len(members)}"
    return Candidate(kind.name, title, kind.order, framework, kind.code(given), [], {}, is_baseline=False), values
