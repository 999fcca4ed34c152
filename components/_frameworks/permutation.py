"""Permutation importance: how much worse the primary metric gets when one feature's values are shuffled.

Source: Breiman, "Random Forests" (2001); Fisher, Rudin and Dominici (2019). A feature that says the same as another one
looks less important than it is, since the model still has the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Sample
from components._frameworks.score_rows import scores_of
from components._frameworks.variations import score_variations

_REPEATS, _WIDE_REPEATS = 5, 2
_WIDE = 200


@dataclass(frozen=True)
class Importance:
    """What one feature is worth to the model.

    Attributes:
        drop: Mean loss in the primary metric when the feature is permuted; positive: the feature helps.
        low: The least loss of the repeats.
        high: The greatest.
        changes: Whether any prediction changed at all.
        spread: Standard deviation of the loss over the repeats.
    """

    drop: float
    low: float
    high: float
    changes: bool
    spread: float = 0.0


def repeats_for(features: int) -> int:
    """How often each feature is permuted: less often in a very wide table, where each repeat costs seconds."""
    return _WIDE_REPEATS if features > _WIDE else _REPEATS


def permutation_importance(
    task: Task, metric: Metric, model: Model, sample: Sample, seed: int, repeats: int = _REPEATS
) -> dict[str, Importance]:
    """The importance of every feature, in the signature's order.

    Args:
        task: The project's task.
        metric: One of the task's.
        model: The model.
        sample: The rows.
        seed: Equal seeds permute equally.
        repeats: How often each feature is permuted.
    """
    scores = scores_of(model, sample.arrays)
    whole = task.measure(sample.labels, scores)[metric.name]
    answers = score_variations(lambda many, _: scores_of(model, many), sample.arrays, _shuffled(sample, seed, repeats))
    return {
        feature: _importance(task, metric, whole, sample.labels, scores, list(islice(answers, repeats)))
        for feature in sample.arrays
    }


def _shuffled(sample: Sample, seed: int, repeats: int) -> Iterator[tuple[str, Array]]:
    for number, (feature, values) in enumerate(sample.arrays.items()):
        random = np.random.default_rng([seed, number])
        yield from ((feature, random.permutation(values)) for _ in range(repeats))


def _importance(
    task: Task, metric: Metric, whole: float, labels: Array, scores: Array, answers: list[Array]
) -> Importance:
    drops = [metric.gain(whole, task.measure(labels, answer)[metric.name]) for answer in answers]
    changes = any(bool((answer != scores).any()) for answer in answers)
    spread = float(np.std(drops, ddof=1)) if len(drops) > 1 else 0.0
    return Importance(float(np.mean(drops)), float(min(drops)), float(max(drops)), changes, spread)


def shares(importances: dict[str, Importance]) -> dict[str, float]:
    """Each feature's share of all loss; losses below zero (noise) count as none. Empty when nothing matters."""
    lost = {feature: max(importance.drop, 0.0) for feature, importance in importances.items()}
    total = sum(lost.values())
    return {feature: value / total for feature, value in lost.items()} if total > 0 else {}
