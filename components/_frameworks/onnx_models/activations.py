"""What makes probabilities of raw scores, in NumPy; ONNX has these as operators and as the last part of its own models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sigmoid(scores: Array) -> Array:
    """Return the logistic function of each score."""
    found: Array = 1 / (1 + np.exp(-scores))
    return found


def softmax(scores: Array) -> Array:
    """Return probabilities that sum to 1 in each row, [rows, classes]."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Array = powers / powers.sum(axis=1, keepdims=True)
    return found
