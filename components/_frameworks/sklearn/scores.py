"""The scores of a fitted pipeline, in the shape that the project's task has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from components._core.types.tasks.contract import Task


def selection_matrix(pipeline: Pipeline, classes: int) -> NDArray[np.float32] | None:
    """Return the matrix that brings the pipeline's probabilities into the order of all classes; None when they are in it.

    A class that occurs in no training row is unknown to the pipeline; its probability is 0.

    Args:
        pipeline: The fitted pipeline.
        classes: Number of classes of the label.
    """
    known = np.asarray(pipeline.classes_)
    if np.array_equal(known, np.arange(classes)):
        return None
    selection: NDArray[np.float32] = (known[:, None] == np.arange(classes)).astype(np.float32)
    return selection


def score(pipeline: Pipeline, task: Task, classes: int, rows: pd.DataFrame) -> NDArray[Any]:
    """Score rows with the pipeline itself, as float64: [rows], or [rows, classes] where scores are by class."""
    if not task.has_classes:
        return np.asarray(pipeline.predict(rows), np.float64).reshape(-1)
    probabilities = np.asarray(pipeline.predict_proba(rows), np.float64)
    selection = selection_matrix(pipeline, classes)
    probabilities = probabilities if selection is None else probabilities @ selection
    return probabilities if task.scores_by_class else probabilities[:, -1]


def loss(task: Task, labels: NDArray[Any], scores: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """Return the training loss: mean log loss, weighted by row if there are weights, or mean squared error without classes."""
    if not task.has_classes:
        return float(np.mean((scores - labels) ** 2))
    by_class = scores if task.scores_by_class else np.stack([1.0 - scores, scores], axis=1)
    right = by_class[np.arange(len(labels)), labels]
    return float(-np.average(np.log(np.maximum(right, np.finfo(np.float64).eps)), weights=weights))
