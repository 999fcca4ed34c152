"""Leak detection: how well each feature alone predicts the label, and how much the model depends on it.

A feature that nearly equals the label, or carries nearly all importance, is often not known yet at prediction time:
a leak. A person has to decide; this module names the suspects.
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
from components._frameworks.sampled_rows import Array, Sample

SHARE = 0.95
"""Share of all permutation importance from which a feature is a suspect; only judged with three features or more."""
LOOKED_UP = 0.97
"""Share of correct table lookups beyond guessing from which a feature alone predicts the label."""
ENOUGH_ROWS = 1_000
"""Fewest test rows for judging single features; with fewer, train rows are used, since no model is involved."""
_ROWS_IN_BIN, _MOST_BINS = 10, 500
_FOLDS = 2


def powers(task: Task, sample: Sample) -> dict[str, float]:
    """How well each feature alone predicts the label, between 0 and 1.

    For classes, the AUC of the feature's ranks (of either direction, at least 0.5; many classes: the best class against
    the rest). For numbers, the absolute rank correlation. A missing number ranks below all others. A text counts as the
    mean label of the rows that have it in the other half of the sample, so that rare values do not predict themselves.

    Args:
        task: The project's task.
        sample: The rows.
    """
    return {feature: _power(task, values, sample.labels) for feature, values in sample.arrays.items()}


def find_telling(task: Task, sample: Sample, alone: Mapping[str, float]) -> dict[str, float]:
    """Find the features that alone predict the whole label, and how well; none if there are too few rows.

    Of many classes, all must be predicted: a single separable class is not a leak. The measure is the share of the rows
    that a table of the feature's values, made from the other half of the rows, gets right beyond the most frequent
    class. For two classes and for numbers, the feature's order counts as well.

    Args:
        task: The project's task.
        sample: The rows.
        alone: Output of `powers` for these rows.
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
    """Count the rows of the rarer of two classes: with one or two of them, noise may order all values by chance."""
    return int(np.bincount(labels.astype(np.int64), minlength=2).min())


def leak_check(
    alone: dict[str, float], share: dict[str, float], rows: int, blocking: Mapping[str, float] = MappingProxyType({})
) -> Check:
    """Warn of suspects; only the features in `blocking` fail the check, since only a person knows when a value is known.

    Args:
        alone: How well each feature alone predicts the label.
        share: Each feature's share of all importance.
        rows: Number of rows examined.
        blocking: How well the features that block the model predict the label.
    """
    if blocking:
        message = "; ".join(f"{name} alone predicts the label ({value:.3f} of 1)" for name, value in blocking.items())
        advice = "is it known at prediction time? If not, list it under data.exclude; if so, gates.model.leaks: warn"
        return Check("leaks", "fail", max(blocking.values()), SUSPECT, n=rows, reason=f"{message}: {advice}")
    if not (alone or share) or not rows:
        return Check("leaks", "skipped", None, SUSPECT, n=rows, reason="nothing to check")
    suspects = [
        f"{name} alone predicts the label ({value:.3f} of 1)" for name, value in alone.items() if value > SUSPECT
    ]
    if len(share) > 2:
        suspects += [f"{name} carries {part:.0%} of all importance" for name, part in share.items() if part > SHARE]
    most = max(alone.values(), default=float("nan"))
    if not suspects:
        return Check(
            "leaks",
            "pass",
            most,
            SUSPECT,
            n=rows,
            reason="no feature predicts the label by itself or carries nearly all",
        )
    question = "is it known at prediction time? If not, list it under data.exclude"
    return Check("leaks", "warn", most, SUSPECT, n=rows, reason=f"{'; '.join(suspects)}: {question}")


def rank_correlation(left: Array, right: Array) -> float:
    """Compute Spearman's rank correlation, ties sharing their mean rank; NaN when one side is constant."""
    a, b = ranks(left), ranks(right)
    if len(a) < 2 or not a.std() or not b.std():
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: Array) -> Array:
    """Compute ranks from 0; equal values share their mean rank."""
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
    """Return the share of rows that a value-to-class table from the other half gets right; 0: like the most frequent class."""
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
    """Convert values to categories: texts and few distinct numbers unchanged, other numbers by quantile ranges."""
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
    encoded = np.empty(len(values))
    for number in range(_FOLDS):
        others = fold != number
        rows = np.bincount(place[others], minlength=len(names))
        total = np.bincount(place[others], weights=labels[others], minlength=len(names))
        mean = labels[others].mean() if others.any() else 0.0
        # rare values are smoothed towards the overall mean by one extra row
        encoded[~others] = ((total + mean) / (rows + 1))[place[~others]]
    return encoded
