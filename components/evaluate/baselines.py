"""What is to be beaten without any model: the most frequent class, its share, or the mean of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components._core.examples.artifact import read_batches
from components._core.types.label_values import UNKNOWN, class_indices, targets
from components._core.types.metrics.ranking import Array
from components._core.types.signature import Signature


@dataclass(frozen=True)
class Baseline:
    """A model that knows the training labels and nothing else.

    Attributes:
        name: What it does, as a person would say it.
        answer: What it answers for every row: probability, probabilities [classes], or the mean.
    """

    name: str
    answer: Array

    def scores(self, rows: int) -> Array:
        """Its scores for that many rows, as a model's."""
        return np.broadcast_to(self.answer, (rows, *self.answer.shape))


def fit_baseline(signature: Signature, examples: Path, label: str) -> Baseline:
    """Learn the baseline from the labels of the train split, read in batches.

    Args:
        signature: Of the model that must beat it; gives task and classes.
        examples: The examples artifact.
        label: The label's column.
    """
    if not signature.classes:
        return _mean(examples, label)
    rows = np.zeros(len(signature.classes))
    for batch in read_batches(examples, "train", [label]):
        found = class_indices(batch[label], signature.classes)
        rows += np.bincount(found[found != UNKNOWN], minlength=len(rows))
    share = rows / max(rows.sum(), 1)
    most = signature.classes[int(rows.argmax())]
    answer = share[1] if signature.task == "binary_classification" else share
    return Baseline(f"always {most} ({share.max():.0%} of the training rows)", np.asarray(answer))


def _mean(examples: Path, label: str) -> Baseline:
    total, rows = 0.0, 0
    for batch in read_batches(examples, "train", [label]):
        found = targets(batch[label])
        known = found[~np.isnan(found)]
        total, rows = total + float(known.sum()), rows + len(known)
    mean = total / max(rows, 1)
    return Baseline(f"always the mean of the training rows ({mean:.4g})", np.asarray(mean))
