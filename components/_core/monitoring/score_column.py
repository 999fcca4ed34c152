"""The one number per row by which a model's answers are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def largest_scores(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the score of each row; where there is one per class, the largest: how sure the model is.

    Args:
        scores: Shape [rows] or [rows, classes].
    """
    numbers = np.asarray(scores, dtype=np.float64)
    return numbers if numbers.ndim == 1 else numbers.max(axis=1, initial=-np.inf)
