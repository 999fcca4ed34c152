"""What is to be beaten without any model: the most frequent class, its share, or the mean of the training rows."""

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
    task = TASKS[signature.task]
    labels = (task.label_values(batch[label], signature.classes) for batch in read_batches(examples, "train", [label]))
    return Baseline(*task.fit_baseline((found[task.is_known(found)] for found in labels), signature.classes))
