"""Baselines without features: the most frequent class, the class shares, or the mean of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components._core.examples.artifact import read_batches
from components._core.types.metrics.row_sums import Array
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS


@dataclass(frozen=True)
class Baseline:
    """A constant prediction, fitted on the training labels only.

    Attributes:
        name: Description of the baseline for people.
        answer: Prediction for every row: probability, probabilities [classes], or the mean.
    """

    name: str
    answer: Array

    def scores(self, rows: int) -> Array:
        """Return its scores for that many rows, shaped like a model's."""
        return np.broadcast_to(self.answer, (rows, *self.answer.shape))


def fit_baseline(signature: Signature, examples: Path, label: str) -> Baseline:
    """Fit the baseline on the labels of the train split, read in batches.

    Args:
        signature: Signature of the model that must beat it; gives task and classes.
        examples: The examples artifact.
        label: The label's column.
    """
    task = TASKS[signature.task]
    labels = (task.label_values(batch[label], signature.classes) for batch in read_batches(examples, "train", [label]))
    return Baseline(*task.fit_baseline((found[task.is_known(found)] for found in labels), signature.classes))
