"""Early stopping of boosted trees on the eval rows, for estimators whose parameters ask for it.

A library registers its estimators, as `hist_gradient_boosting.py` does for those of scikit-learn itself. After the fit an estimator predicts with the
rounds up to the best one, so that a fit of exactly as many rounds gives the same model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Rows as the last step of a pipeline takes them.

    Attributes:
        columns: A table or matrix [rows, columns].
        labels: Class index or number, [rows].
        weights: Weight by row; None: each counts the same.
    """

    columns: Any
    labels: NDArray[Any]
    weights: NDArray[Any] | None = None


@dataclass(frozen=True)
class EarlyStopping:
    """How one library stops early.

    Attributes:
        parameter: The parameter with the number of rounds.
        is_wanted: Whether the parameters of an estimator ask for it.
        fit: Fits an estimator on the first rows until it no longer improves on the second.
        rounds: Rounds with which a fitted estimator predicts.
    """

    parameter: str
    is_wanted: Callable[[Any], bool]
    fit: Callable[[Any, Rows, Rows], None]
    rounds: Callable[[Any], int]


_STOPPING: dict[type, EarlyStopping] = {}


def register_stopping(estimator: type, stopping: EarlyStopping) -> None:
    """Add a class of estimators that can stop early."""
    _STOPPING[estimator] = stopping


def find_stopping(estimator: Any) -> EarlyStopping | None:
    """Return how an estimator stops early; None when it cannot, or its parameters do not ask for it."""
    stopping = _STOPPING.get(type(estimator))
    return stopping if stopping is not None and stopping.is_wanted(estimator) else None
