"""The leaderboard of a search over kinds of model: the best of each kind, and the one that is chosen."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components._core.checks import finite_or_none
from components._core.types.metrics.bootstrap import Interval
from components._frameworks.objective import Objective, read_labels
from components._frameworks.transformed_rows import TransformedRows
from components.tune.candidates import Values
from components.tune.kind_search import Attempt, Search

CONSTANT = "constant"


@dataclass(frozen=True)
class Entry:
    """The best model of a kind.

    Attributes:
        kind: Its name.
        title: What it is.
        value: The metric on the rows that models are judged by.
        loss: The loss on them; NaN of the constant.
        gain: By how much the chosen model is better; negative: it is worse.
        low: Lower end of the 95 % interval of the gain.
        high: Its upper end.
        attempts: How many of the kind were fitted.
        values: Its hyperparameters.
    """

    kind: str
    title: str
    value: float
    loss: float
    gain: float
    low: float
    high: float
    attempts: int
    values: Values


@dataclass(frozen=True)
class Leaderboard:
    """The kinds in order, and the choice.

    Attributes:
        metric: Name of the metric.
        metric_reason: Why it is not the project's primary one; empty: it is.
        rows: Rows that models are judged by.
        judged_by: What these are, as in `960 train rows in 5 folds`.
        chosen: Name of the chosen kind.
        why: Why it is not the best one; empty: it is.
        entries: The kinds, the best first; the constant is one of them and cannot be chosen.
        out_of_time: Whether the search ended because its minutes were over.
    """

    metric: str
    metric_reason: str
    rows: int
    judged_by: str
    chosen: str
    why: str
    entries: tuple[Entry, ...]
    out_of_time: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for a file, with None for what is not a finite number."""
        written: dict[str, Any] = finite_or_none(asdict(self))
        return written


def choose(search: Search, train: TransformedRows, classes: list[str]) -> tuple[Attempt, Leaderboard]:
    """Choose the model of a search, and compare it with the best of every kind.

    Args:
        search: A search that was run.
        train: The training rows, for the constant.
        classes: The label's classes.

    Returns:
        The chosen attempt, and the leaderboard.
    """
    objective = search.objective
    best = [kind.best for kind in search.kinds if kind.best is not None]
    chosen, why = pick(best, objective, prefer_simple=search.project.tune.prefer == "simple")
    count = {
        attempt.candidate.kind: sum(other.candidate.kind == attempt.candidate.kind for other in search.attempts)
        for attempt in search.attempts
    }
    entries = [_entry(attempt, chosen, objective, count[attempt.candidate.kind]) for attempt in best]
    entries.append(_constant(chosen, objective, train, classes))
    entries.sort(key=lambda entry: objective.key(entry.value, entry.loss))
    board = Leaderboard(
        objective.metric.name,
        objective.reason,
        len(objective.labels),
        objective.judged_by,
        chosen.candidate.kind,
        why,
        tuple(entries),
        search.out_of_time,
    )
    return chosen, board


def pick(best: list[Attempt], objective: Objective, *, prefer_simple: bool) -> tuple[Attempt, str]:
    """Return the best attempt, or that of a simpler kind where the gain over it may be chance; with the reason.

    Args:
        best: The best attempt of each kind, with its scores.
        objective: What decides.
        prefer_simple: Whether a simpler kind is taken at all.
    """
    by_value = sorted(best, key=lambda attempt: objective.key(attempt.value, attempt.loss))
    first = by_value[0]
    if prefer_simple:
        for order in sorted({attempt.candidate.order for attempt in best}):
            if order >= first.candidate.order:
                break
            simpler = next(attempt for attempt in by_value if attempt.candidate.order == order)
            gain, interval = _gain(first, simpler, objective)
            if not interval[0] > 0:
                return simpler, f"{_describe_gain(first.candidate.title, gain, interval)}: the simpler kind is chosen"
    return first, ""


def _describe_gain(title: str, gain: float, interval: Interval) -> str:
    if not any((gain, *interval)):
        return f"no gain by {title}"
    low, high = interval
    return f"the gain by {title} may be chance, {gain:.2g} ({low:.2g} to {high:.2g})"


def _gain(one: Attempt, other: Attempt, objective: Objective) -> tuple[float, Interval]:
    if one is other or one.scores is None or other.scores is None:
        return 0.0, (0.0, 0.0)
    return objective.gain(one.scores, other.scores)


def _entry(attempt: Attempt, chosen: Attempt, objective: Objective, attempts: int) -> Entry:
    gain, (low, high) = _gain(chosen, attempt, objective)
    kind = attempt.candidate
    return Entry(kind.kind, kind.title, attempt.value, attempt.loss, gain, low, high, attempts, attempt.values)


def _constant(chosen: Attempt, objective: Objective, train: TransformedRows, classes: list[str]) -> Entry:
    title, score = objective.task.fit_baseline([read_labels(train)], classes)
    rows = len(objective.labels)
    scores = np.ascontiguousarray(np.broadcast_to(score, objective.task.score_shape(rows, classes)))
    value = objective.measure(scores)
    gain, (low, high) = (
        (math.nan, (math.nan, math.nan)) if chosen.scores is None else objective.gain(chosen.scores, scores)
    )
    return Entry(CONSTANT, title, value, math.nan, gain, low, high, 1, {})
