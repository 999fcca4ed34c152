"""An interval beside a predicted number, in which the true value lies in a given share of the rows.

Its ends are the prediction plus two numbers, quantiles of the errors on rows that the model was not fitted on (split conformal prediction:
Papadopoulos et al. 2002, Lei et al. 2018). They are the same for every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWER, UPPER = "prediction_lower", "prediction_upper"
"""Names of the two outputs."""


@dataclass(frozen=True)
class PredictionInterval:
    """What is added to a prediction.

    Attributes:
        below: From the prediction to the lower end, in the label's unit; negative as a rule.
        above: The same to the upper end.
        coverage: Share of the rows whose value is meant to lie between them.
    """

    below: float
    above: float
    coverage: float

    def ends(self, predictions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return both ends for predictions [rows], of their type."""
        kind = predictions.dtype.type
        return predictions + kind(self.below), predictions + kind(self.above)

    def measure_coverage(self, labels: NDArray[Any], predictions: NDArray[Any]) -> float:
        """Return the share of rows whose label lies in the interval, ends included."""
        lower, upper = self.ends(predictions)
        return float(np.mean((lower <= labels) & (labels <= upper)))


def least_rows(coverage: float) -> int:
    """Rows below which no interval of errors can have the coverage."""
    tail = (1.0 - coverage) / 2.0
    return math.ceil(round(1.0 / tail, 9)) - 1


def fit_interval(labels: NDArray[Any], predictions: NDArray[Any], coverage: float) -> PredictionInterval | None:
    """Take the interval from the errors of rows that the model was not fitted on; None when they are too few (`least_rows`).

    Each end leaves out half of the rest: of n errors in ascending order those at the places floor((n + 1) tail) and
    ceil((n + 1) (1 - tail)), from 1, so that a new row of the same kind lies within with at least the coverage.

    Args:
        labels: True values, [rows].
        predictions: The model's, [rows].
        coverage: Share between 0 and 1.
    """
    errors = np.sort(labels.astype(np.float64) - predictions)
    rows, tail = len(errors), (1.0 - coverage) / 2.0
    if rows < least_rows(coverage):
        return None
    low = math.floor(round((rows + 1) * tail, 9))
    high = math.ceil(round((rows + 1) * (1.0 - tail), 9))
    return PredictionInterval(float(errors[low - 1]), float(errors[high - 1]), coverage)
