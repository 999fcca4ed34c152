"""Search over kinds of model: known good values of each first, then the values around the best, within one budget.

Each kind has a study of Optuna of its own, and the next trial goes to one of the kinds that are ahead. Which kind that is, and which
values, depends on the results alone: as many trials of the same seed give the same model. Only a bound in minutes makes it depend on the machine, and
the record says where that ended the search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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

from components._core.errors import ModelError
from components._core.project.project_file import Project
from components._core.project.tune_config import Space
from components._frameworks.model_kinds import PROJECT_KIND
from components._frameworks.objective import Objective
from components.tune.candidates import Candidate, Fitted, Fitter, Look, Values, ensemble_of
from components.tune.weighted_average import select_weights

KNOWN, EARLIER, SEARCHED, AVERAGED = "known good", "earlier run", "searched", "average"
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
_TURNS = (0, 0, 1, 0, 0, 1, 0, 2)
"""Places, among the kinds by their best value, that the trials go to in turn."""
_FEWEST_TO_PRUNE = 4
_FEWEST_MEMBERS = 2
_KEPT = 4
"""Best models of a kind that an average may be made of."""
_MOST_AVERAGED_ROWS = 20_000
"""Rows, at most, by which the weights of an average are chosen: that takes some hundred measurements."""
_LOOK = 1
"""Step of a study at which a first look is reported."""
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
        value: The metric on the rows that models are judged by; NaN: it has none.
        loss: The loss on them; NaN: it has none.
        reason: Why it failed.
        scores: Its scores of these rows; kept of the best ones of a kind.
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
        kept: Its best attempts, the best first: as many as an average may be made of, or one.
    """

    candidate: Candidate
    study: optuna.Study
    distributions: dict[str, BaseDistribution]
    kept: list[Attempt] = field(default_factory=list)

    @property
    def best(self) -> Attempt | None:
        """Its best attempt; None: it has none."""
        return self.kept[0] if self.kept else None


@dataclass
class Proposal:
    """A model that is to be fitted.

    Attributes:
        kind: Its kind.
        trial: The trial of that kind's study.
        values: Its hyperparameters.
        origin: Where the values come from.
        is_hopeless: Whether it was given up after a first look at it.
    """

    kind: Studied
    trial: optuna.Trial
    values: Values
    origin: str
    is_hopeless: bool = False


@dataclass
class Search:
    """A search in progress.

    Attributes:
        project: The project.
        objective: What decides.
        fitter: Fits the models.
        kinds: The kinds, in the order in which they are tried.
        earlier: Kinds and values of an earlier search, the best first.
        attempts: What was tried.
        out_of_time: Whether `tune.minutes` ended it.
        started: When it began, by the monotonic clock; None: when it is run.
    """

    project: Project
    objective: Objective
    fitter: Fitter
    kinds: list[Studied]
    earlier: list[tuple[str, Values]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    out_of_time: bool = False
    started: float | None = None

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
        settings = self.project.tune
        started = time.monotonic() if self.started is None else self.started
        bound = None if settings.minutes is None else started + settings.minutes * 60

        def has_time() -> bool:
            self.out_of_time = self.out_of_time or (bound is not None and time.monotonic() >= bound)
            return not self.out_of_time

        self._try_known(has_time)
        self._check_any()
        waiting = self._earlier()
        done = 0
        with ThreadPoolExecutor(settings.workers) as pool:
            while (done < settings.trials or (not settings.trials and bound is not None)) and has_time():
                size = min(settings.workers, settings.trials - done) if settings.trials else settings.workers
                batch = [self._propose(waiting, done + place) for place in range(size)]
                if None in batch:
                    break
                self._try([each for each in batch if each is not None], pool)
                done += size
        self.average()

    def _earlier(self) -> list[tuple[Studied, Values]]:
        """Return what to begin with: good values of an earlier search, of kinds and spaces that are searched now."""
        kinds = {kind.candidate.kind: kind for kind in self.kinds}
        found = []
        for name, values in self.earlier:
            kind = kinds.get(name)
            if kind is not None and all(
                _holds(distribution, values.get(parameter)) for parameter, distribution in kind.distributions.items()
            ):
                found.append((kind, values))
        return found

    def _propose(self, waiting: list[tuple[Studied, Values]], turn: int) -> Proposal | None:
        """Return the next model to fit; None when no kind has values to try."""
        if waiting:
            kind, values = waiting.pop(0)
            kind.study.enqueue_trial({name: values[name] for name in kind.distributions})
            origin = EARLIER
        else:
            kinds = self._by_value()
            if not kinds:
                return None
            kind, origin = kinds[min(_TURNS[turn % len(_TURNS)], len(kinds) - 1)], SEARCHED
        trial = kind.study.ask(kind.distributions)
        return Proposal(kind, trial, {**kind.candidate.known[0], **trial.params}, origin)

    def _try(self, batch: list[Proposal], pool: ThreadPoolExecutor) -> None:
        """Fit the models of a batch side by side; what comes of them is noted in their order, whichever ended first."""
        # code of a person may change what is global, such as the state of random numbers: it is alone
        alone = len(batch) == 1 or any(each.kind.candidate.kind == PROJECT_KIND for each in batch)
        apply: Callable[..., Iterable[Any]] = map if alone else pool.map
        looks = list(apply(self._look, batch))
        for each, look in zip(batch, looks, strict=True):
            each.is_hopeless = self._is_hopeless(each, look)
        left = [(each, look) for each, look in zip(batch, looks, strict=True) if not each.is_hopeless]
        fits = iter(list(apply(lambda pair: self._fit(pair[0].kind, pair[0].values, pair[1]), left)))
        for each in batch:
            if each.is_hopeless:
                self.attempts.append(Attempt(len(self.attempts), each.kind.candidate, each.values, each.origin, PRUNED))
                each.kind.study.tell(each.trial, state=optuna.trial.TrialState.PRUNED)
                continue
            attempt = self._note(each.kind, each.values, each.origin, next(fits))
            if not np.isfinite(attempt.value):
                each.kind.study.tell(each.trial, state=optuna.trial.TrialState.FAIL)
            else:
                each.kind.study.tell(each.trial, attempt.value)

    def _look(self, proposal: Proposal) -> Look | None:
        try:
            return self.fitter.look(proposal.kind.candidate, proposal.values)
        except ModelError:  # the whole fit says why
            return None

    def _is_hopeless(self, proposal: Proposal, look: Look | None) -> bool:
        """Whether a model is worse at the first look than the median of the earlier ones."""
        if look is None:
            return False
        proposal.trial.report(self.objective.measure(look.scores, look.places), _LOOK)
        return proposal.trial.should_prune()

    def average(self) -> None:
        """Add the weighted average of the best models, where the project asks for it."""
        kinds = [kind for kind in self.kinds if kind.candidate.kind != PROJECT_KIND]
        kept = sorted((attempt for kind in kinds for attempt in kind.kept), key=self._key)
        most = self.project.tune.ensemble
        if most < _FEWEST_MEMBERS or len(kept) < _FEWEST_MEMBERS:
            return
        scores = [cast("NDArray[Any]", attempt.scores) for attempt in kept]
        places = np.arange(0, len(scores[0]), -(-len(scores[0]) // _MOST_AVERAGED_ROWS))
        weights = select_weights(
            [each[places] for each in scores],
            lambda mean, some: self._cost(mean, places[some]),
            most,
            self.project.train.seed,
        )
        if len(weights) < _FEWEST_MEMBERS:
            return
        named = [(kept[place].candidate.kind, kept[place].values, weight) for place, weight in weights.items()]
        candidate, values = ensemble_of(named, self.project, self.fitter.data)
        mean = np.average([scores[place] for place in weights], axis=0, weights=[*weights.values()])
        attempt = Attempt(len(self.attempts), candidate, values, AVERAGED, scores=mean)
        attempt.value = self.objective.measure(mean)
        attempt.loss = float(self.objective.task.row_losses(self.objective.labels, mean).mean())
        self.attempts.append(attempt)
        self.kinds.append(Studied(candidate, optuna.create_study(), {}, [attempt]))

    def _cost(self, scores: NDArray[Any], places: NDArray[np.int64]) -> float:
        value = self.objective.measure(scores, places)
        return value if self.objective.metric.lower_is_better else -value

    def best_values(self) -> list[tuple[str, Values]]:
        """Return what an earlier run hands on: the best values of the kinds ahead, and the second best of the first."""
        first = self._by_value()[:3]
        ahead = [cast("Attempt", kind.best) for kind in first]
        others = [
            attempt
            for attempt in self.attempts
            if ahead and attempt.candidate.kind == ahead[0].candidate.kind and attempt is not ahead[0]
        ]
        others = sorted((each for each in others if np.isfinite(each.value)), key=self._key)[:1]
        return [
            (each.candidate.kind, {name: each.values[name] for name in each.candidate.space})
            for each in [*ahead[:1], *others, *ahead[1:]]
            # a project's own defaults need not have every name of tune.space
            if each.candidate.space.keys() <= each.values.keys()
        ]

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

    def _try_known(self, has_time: Callable[[], bool]) -> None:
        """Fit the known good values, side by side where that is faster: none of them depends on what came of another."""
        known = [*self._known()]

        def fit(pair: tuple[Studied, Values]) -> Fitted | ModelError | None:
            kind, values = pair
            is_first_baseline = kind.candidate.is_baseline and values is kind.candidate.known[0]
            return self._fit(kind, values, side_by_side=threads == 1) if is_first_baseline or has_time() else None

        alone = any(kind.candidate.kind == PROJECT_KIND for kind, _ in known)
        threads = 1 if alone else self.fitter.threads
        with ThreadPoolExecutor(threads) as pool:
            fits = map(fit, known) if threads == 1 else pool.map(fit, known)
            for (kind, values), fitted in zip(known, fits, strict=True):
                if fitted is not None:
                    self._note_known(kind, values, fitted)

    def _note_known(self, kind: Studied, values: Values, fitted: Fitted | ModelError) -> None:
        attempt = self._note(kind, values, KNOWN, fitted)
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
            trial = optuna.trial.create_trial(
                params=params,
                distributions=kind.distributions,
                value=attempt.value,
                intermediate_values=self._looked(attempt),
            )
            kind.study.add_trial(trial)

    def _looked(self, attempt: Attempt) -> dict[int, float]:
        """Return what a first look at a model would have shown, where that is a part of its fit."""
        if len(self.fitter.parts) < 2 or attempt.scores is None:
            return {}
        places = self.fitter.parts[0].places
        return {_LOOK: self.objective.measure(attempt.scores[places], places)}

    def _fit(
        self, kind: Studied, values: Values, look: Look | None = None, *, side_by_side: bool = True
    ) -> Fitted | ModelError:
        try:
            return self.fitter.fit(kind.candidate, values, look, side_by_side=side_by_side)
        except ModelError as error:
            return error

    def _note(self, kind: Studied, values: Values, origin: str, fitted: Fitted | ModelError) -> Attempt:
        """Keep what came of a fit."""
        attempt = Attempt(len(self.attempts), kind.candidate, values, origin)
        self.attempts.append(attempt)
        if isinstance(fitted, ModelError):
            attempt.state, attempt.reason = FAILED, fitted.message
            return attempt
        attempt.values = {**values, **fitted.found}
        attempt.value, attempt.loss = self.objective.measure(fitted.scores), fitted.loss
        attempt.scores = fitted.scores
        kind.kept = sorted([*kind.kept, attempt], key=self._key)
        for forgotten in kind.kept[_KEPT if self.project.tune.ensemble else 1 :]:
            forgotten.scores = None
            kind.kept.remove(forgotten)
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
