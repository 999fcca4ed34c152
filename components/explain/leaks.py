"""Features that tell too much: what each says of the label all by itself, and how much of the model hangs on it.

A feature that nearly equals the label, or carries nearly all of the model, is often one that is not known yet when the
model is asked: a leak. A person has to decide; this names the suspects.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.types.leak_rules import FEWEST_OF_A_CLASS, FEWEST_ROWS, SUSPECT
from components._core.types.metrics.ranking import auc
from components._core.types.tasks.contract import Task
from components.explain.sampled_rows import Array, Sample

SHARE = 0.95
"""Share of all permutation importance from which a feature is a suspect; only judged among three features or more."""
LOOKED_UP = 0.97
"""Share that a table of a feature's values gets right beyond guessing, from which it tells the label alone."""
ENOUGH_ROWS = 1_000
"""Test rows from which a feature alone is judged by them; of fewer, by those of train, as no model has a part in it."""
_ROWS_IN_BIN, _MOST_BINS = 10, 500
_FOLDS = 2


def powers(task: Task, sample: Sample) -> dict[str, float]:
    """How well each feature alone tells the label, between 0 and 1.

    For classes, the AUC of the feature's ranks (of either direction, at least 0.5; many classes: the best class against the
    rest). For numbers, the absolute rank correlation. A missing number ranks below all others. A text counts as the mean
    label of the rows that have it in the other half of the sample, so that rare values do not tell on themselves.

    Args:
        task: The project's task.
        sample: The rows.
    """
    return {feature: _power(task, values, sample.labels) for feature, values in sample.arrays.items()}


def find_telling(task: Task, sample: Sample, alone: Mapping[str, float]) -> dict[str, float]:
    """The features that alone tell the whole label, and how well; none where there are too few rows to say so.

    Of many classes, all must be told: one that stands apart is no leak. What counts is the share of the rows which a
    table of the feature's values, made from the other half of the rows, gets right beyond the most frequent class. For two
    classes and for numbers, what the feature's order tells counts as well.

    Args:
        task: The project's task.
        sample: The rows.
        alone: What `powers` says of these rows.
    """
    labels, rows = sample.labels, len(sample.labels)
    is_one_score = not task.scores_by_class
    if rows < FEWEST_ROWS or (task.has_classes and is_one_score and _rarest(labels) < FEWEST_OF_A_CLASS):
        return {}
    found: dict[str, float] = {}
    for feature, values in sample.arrays.items():
        ordered = alone[feature] if is_one_score else 0.0
        looked_up = _right_beyond_guessing(values, labels) if task.has_classes else 0.0
        if ordered > SUSPECT or looked_up > LOOKED_UP:
            found[feature] = max(ordered, looked_up)
    return found


def _rarest(labels: NDArray[Any]) -> int:
    """Rows of the rarer of two classes: by one or two of them, noise puts every value in order now and then."""
    return int(np.bincount(labels.astype(np.int64), minlength=2).min())


def leak_check(
    alone: dict[str, float], share: dict[str, float], rows: int, blocking: Mapping[str, float] = MappingProxyType({})
) -> Check:
    """Warn of suspects; only those that are given as blocking do, since a person knows when a value is known.

    Args:
        alone: What each feature alone tells of the label.
        share: Each feature's share of all importance.
        rows: How many were looked at.
        blocking: How well the features that block the model tell the label.
    """
    if blocking:
        message = "; ".join(f"{name} alone tells the label ({value:.3f} of 1)" for name, value in blocking.items())
        advice = (
            "is it known when the model is asked? If not, list it under data.exclude; if so, gates.model.first: deploy"
        )
        return Check("leaks", "fail", max(blocking.values()), SUSPECT, n=rows, reason=f"{message}: {advice}")
    if not (alone or share) or not rows:
        return Check("leaks", "skipped", None, SUSPECT, n=rows, reason="there is nothing to look at")
    suspects = [f"{name} alone tells the label ({value:.3f} of 1)" for name, value in alone.items() if value > SUSPECT]
    if len(share) > 2:
        suspects += [f"{name} carries {part:.0%} of all importance" for name, part in share.items() if part > SHARE]
    most = max(alone.values(), default=float("nan"))
    if not suspects:
        return Check(
            "leaks", "pass", most, SUSPECT, n=rows, reason="no feature tells the label by itself or carries nearly all"
        )
    question = "is it known when the model is asked? If not, list it under data.exclude"
    return Check("leaks", "warn", most, SUSPECT, n=rows, reason=f"{'; '.join(suspects)}: {question}")


def rank_correlation(left: Array, right: Array) -> float:
    """Spearman's rank correlation, ties sharing their mean rank; NaN when one side is constant."""
    a, b = ranks(left), ranks(right)
    if len(a) < 2 or not a.std() or not b.std():
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: Array) -> Array:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, rows = np.unique(values, return_inverse=True, return_counts=True)
    middle: Array = (np.cumsum(rows) - (rows + 1) / 2)[place]
    return middle


def _power(task: Task, values: Array, labels: Array) -> float:
    if task.has_classes:
        classes = np.unique(labels) if task.scores_by_class else [1]
        return max((_power_of_two(values, labels == index) for index in classes), default=0.5)
    found = abs(rank_correlation(_as_number(values, labels), labels))
    return 0.0 if np.isnan(found) else found


def _power_of_two(values: Array, truth: Array) -> float:
    found = auc(truth.astype(np.int64), _as_number(values, truth.astype(np.float64)))
    return 0.5 if np.isnan(found) else max(found, 1 - found)


def _right_beyond_guessing(values: Array, labels: Array) -> float:
    """Share of the rows that a table from value to class gets right, made from the other half; 0: like the most frequent class."""
    _, truth = np.unique(labels, return_inverse=True)
    _, place = np.unique(_as_category(values), return_inverse=True)
    classes, most = int(truth.max()) + 1, int(np.bincount(truth).argmax())
    fold, right = np.arange(len(truth)) % _FOLDS, 0
    for number in range(_FOLDS):
        others = fold != number
        counts = np.bincount(place[others] * classes + truth[others], minlength=(int(place.max()) + 1) * classes)
        table = counts.reshape(-1, classes)
        answer = np.where(table.any(axis=1), table.argmax(axis=1), most)
        right += int((answer[place[~others]] == truth[~others]).sum())
    share, guessed = right / len(truth), float(np.bincount(truth).max()) / len(truth)
    return (share - guessed) / (1 - guessed) if guessed < 1 else 0.0


def _as_category(values: Array) -> Array:
    """Texts as they are; numbers too when they are few, else by which of many ranges of equal size they fall into."""
    if values.dtype == object:
        return values.astype(str)
    numbers = np.where(np.isnan(values.astype(np.float64)), -np.inf, values.astype(np.float64))
    bins = int(np.clip(len(numbers) // _ROWS_IN_BIN, 10, _MOST_BINS))
    if len(np.unique(numbers)) <= bins:
        return numbers
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1], method="nearest"))
    found: Array = np.searchsorted(edges, numbers, side="right")
    return found


def _as_number(values: Array, labels: Array) -> Array:
    if values.dtype != object:
        numbers = values.astype(np.float64)
        return np.where(np.isnan(numbers), -np.inf, numbers)
    names, place = np.unique(values.astype(str), return_inverse=True)
    fold = np.arange(len(values)) % _FOLDS
    told = np.empty(len(values))
    for number in range(_FOLDS):
        others = fold != number
        rows = np.bincount(place[others], minlength=len(names))
        total = np.bincount(place[others], weights=labels[others], minlength=len(names))
        mean = labels[others].mean() if others.any() else 0.0
        # values seen seldom lean on the mean of all: one row more of it
        told[~others] = ((total + mean) / (rows + 1))[place[~others]]
    return told
