"""Search over kinds of model: known good values of each first, then the values around the best, within one budget.

Each kind has a study of Optuna of its own, and the next trial goes to one of the kinds that are ahead. Which kind that is, and which
values, depends on the results alone: as many trials of the same seed give the same model. Only a bound in minutes makes it depend on the machine, and
the record says where that ended the search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from components._core.errors import ModelError, NaruError
from components._core.project.project_file import Project
from components._core.project.tune_config import Space
from components._frameworks.model_kinds import PROJECT_KIND
from components.tune.candidates import Candidate, Fitter, Values
from components.tune.objective import Objective

KNOWN, SEARCHED = "known good", "searched"
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
_TURNS = (0, 0, 1, 0, 0, 1, 0, 2)
"""Places, among the kinds by their best value, that the trials go to in turn."""
_MANY_ROWS = 20_000
"""Training rows from which a trial is first fitted on a part of them."""
_PART = 4
_FEWEST_TO_PRUNE = 4
_STARTS = 4
"""Trials of a kind before its values are proposed by the results; known good ones count."""


@dataclass
class Attempt:
    """One model that was fitted.

    Attributes:
        number: Its place in the search.
        candidate: Its kind.
        values: Its hyperparameters, with those that the fit found.
        origin: Where the values come from.
        state: `complete`, `pruned` or `failed`.
        value: The metric on the eval rows; NaN: it has none.
        loss: The eval loss; NaN: it has none.
        reason: Why it failed.
        scores: Its scores of the eval rows; kept of the best of a kind.
    """

    number: int
    candidate: Candidate
    values: Values
    origin: str
    state: str = COMPLETE
    value: float = math.nan
    loss: float = math.nan
    reason: str = ""
    scores: NDArray[Any] | None = None


@dataclass
class Studied:
    """A kind in the search.

    Attributes:
        candidate: The kind.
        study: Optuna's study of its values.
        distributions: Its space, in Optuna's words.
        best: Its best attempt; None: it has none.
    """

    candidate: Candidate
    study: optuna.Study
    distributions: dict[str, BaseDistribution]
    best: Attempt | None = None


@dataclass
class Search:
    """A search in progress.

    Attributes:
        project: The project.
        objective: What decides.
        fitter: Fits the models.
        kinds: The kinds, in the order in which they are tried.
        attempts: What was tried.
        out_of_time: Whether `tune.minutes` ended it.
    """

    project: Project
    objective: Objective
    fitter: Fitter
    kinds: list[Studied]
    attempts: list[Attempt] = field(default_factory=list)
    out_of_time: bool = False

    @classmethod
    def make(cls, project: Project, objective: Objective, fitter: Fitter, candidates: list[Candidate]) -> Search:
        """Make a search that has not begun."""
        kinds = []
        for place, candidate in enumerate(candidates):
            sampler = optuna.samplers.TPESampler(
                seed=project.train.seed + place, n_startup_trials=_STARTS, multivariate=True
            )
            pruner = optuna.pruners.MedianPruner(n_startup_trials=_FEWEST_TO_PRUNE)
            study = optuna.create_study(
                direction="minimize" if objective.metric.lower_is_better else "maximize", sampler=sampler, pruner=pruner
            )
            kinds.append(
                Studied(
                    candidate, study, {name: _distribution(space) for name, space in sorted(candidate.space.items())}
                )
            )
        return cls(project, objective, fitter, kinds)

    def run(self) -> None:
        """Try the known good values, then others until the budget is spent.

        Raises:
            ModelError: When no kind of model can be fitted, or the project's own with its default values.
        """
        started, settings = time.monotonic(), self.project.tune
        bound = None if settings.minutes is None else started + settings.minutes * 60

        def has_time() -> bool:
            self.out_of_time = self.out_of_time or (bound is not None and time.monotonic() >= bound)
            return not self.out_of_time

        for kind, values in self._known():
            if has_time() or (kind.candidate.is_baseline and kind.best is None):
                self._try_known(kind, values)
        self._check_any()
        turn = 0
        while (turn < settings.trials or (not settings.trials and bound is not None)) and has_time():
            kinds = self._by_value()
            if not kinds:
                break
            self._try_next(kinds[min(_TURNS[turn % len(_TURNS)], len(kinds) - 1)])
            turn += 1

    def _known(self) -> Iterator[tuple[Studied, Values]]:
        """Yield the known good values: the first of every kind before the second of any."""
        most = max(len(kind.candidate.known) for kind in self.kinds)
        for place in range(most):
            for kind in self.kinds:
                if place < len(kind.candidate.known):
                    yield kind, kind.candidate.known[place]

    def _by_value(self) -> list[Studied]:
        """Return the kinds that have a space and a model, the best first; of equal ones the one that was tried first."""
        known = [kind for kind in self.kinds if kind.best is not None and kind.distributions]
        return sorted(known, key=lambda kind: self._key(cast("Attempt", kind.best)))

    def _key(self, attempt: Attempt) -> tuple[float, float]:
        return self.objective.key(attempt.value, attempt.loss)

    def _try_known(self, kind: Studied, values: Values) -> None:
        attempt = self._attempt(kind, values, KNOWN)
        if attempt.state == FAILED and kind.candidate.kind == PROJECT_KIND:
            # the defaults: this is not an unlucky draw, the model is broken
            raise ModelError(
                attempt.reason,
                where="the project's build_model",
                remedy="correct it, or take 'project' out of tune.models",
            )
        self._teach(kind, attempt)

    def _teach(self, kind: Studied, attempt: Attempt) -> None:
        """Let a study know of values that it did not propose, if they are in its space."""
        params = {name: attempt.values.get(name) for name in kind.distributions}
        if not params or not np.isfinite(attempt.value):
            return
        if all(_holds(distribution, params[name]) for name, distribution in kind.distributions.items()):
            kind.study.add_trial(
                optuna.trial.create_trial(params=params, distributions=kind.distributions, value=attempt.value)
            )

    def _try_next(self, kind: Studied) -> None:
        trial = kind.study.ask(kind.distributions)
        values: Values = {**kind.candidate.known[0], **trial.params}
        if self._is_hopeless(kind, trial, values):
            attempt = Attempt(len(self.attempts), kind.candidate, values, SEARCHED, PRUNED)
            self.attempts.append(attempt)
            kind.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        attempt = self._attempt(kind, values, SEARCHED)
        if not np.isfinite(attempt.value):
            kind.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            kind.study.tell(trial, attempt.value)

    def _is_hopeless(self, kind: Studied, trial: optuna.Trial, values: Values) -> bool:
        """Whether a model of a part of the rows is worse than the median of the earlier ones of that part."""
        rows = self.fitter.data.train.rows
        if rows < _MANY_ROWS:
            return False
        try:
            fitted = self.fitter.fit(kind.candidate, values, rows // _PART)
        except NaruError:
            return False  # the fit on all rows says why
        trial.report(self.objective.measure(fitted.scores), 1)
        return trial.should_prune()

    def _attempt(self, kind: Studied, values: Values, origin: str) -> Attempt:
        """Fit a model and keep what came of it."""
        attempt = Attempt(len(self.attempts), kind.candidate, values, origin)
        self.attempts.append(attempt)
        try:
            fitted = self.fitter.fit(kind.candidate, values)
        except ModelError as error:
            attempt.state, attempt.reason = FAILED, error.message
            return attempt
        attempt.values = {**values, **fitted.found}
        attempt.value, attempt.loss = self.objective.measure(fitted.scores), fitted.loss
        if kind.best is None or self._key(attempt) < self._key(kind.best):
            if kind.best is not None:
                kind.best.scores = None
            kind.best, attempt.scores = attempt, fitted.scores
        return attempt

    def _check_any(self) -> None:
        if not any(kind.best for kind in self.kinds):
            reasons = {f"{attempt.candidate.kind}: {attempt.reason}" for attempt in self.attempts}
            raise ModelError(
                f"no kind of model can be fitted: {'; '.join(sorted(reasons))}",
                where="tune.models",
                remedy="look at the columns and the label",
            )


def _distribution(space: Space) -> BaseDistribution:
    if space.choices is not None:
        return CategoricalDistribution(space.choices)
    low, high = space.low or 0.0, space.high or 0.0
    if space.integer:
        return IntDistribution(int(low), int(high), log=space.log)
    return FloatDistribution(low, high, log=space.log)


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False
