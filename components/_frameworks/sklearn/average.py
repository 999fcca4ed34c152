"""The weighted average of several pipelines, which is exported as one ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.pipeline import Pipeline

_RANDOM_STATE = "random_state"


class Average(BaseEstimator):
    """Fits pipelines on the same rows; its scores are the weighted mean of theirs.

    Args:
        members: The pipelines, not fitted. Each takes weights of rows in its last step.
        weights: Weight of each; None: each counts the same.
        random_state: Seed of each member that has none.

    Attributes:
        members_: The fitted pipelines.
    """

    def __init__(
        self, members: tuple[Pipeline, ...], weights: tuple[float, ...] | None = None, random_state: int | None = None
    ) -> None:
        self.members = members
        self.weights = weights
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> Average:
        """Fit each member."""
        self.members_ = []
        for given in self.members:
            member = clone(given)
            unset = [
                name
                for name, value in member.get_params().items()
                if value is None and name.rpartition("__")[2] == _RANDOM_STATE
            ]
            member.set_params(**dict.fromkeys(unset, self.random_state))
            weights = {} if sample_weight is None else {f"{member.steps[-1][0]}__sample_weight": sample_weight}
            self.members_.append(member.fit(X, y, **weights))
        return self

    def _mean(self, method: str, X: pd.DataFrame) -> NDArray[np.float64]:
        scores = [getattr(member, method)(X) for member in self.members_]
        mean: NDArray[np.float64] = np.average(scores, axis=0, weights=self.weights)
        return mean


class AverageClassifier(ClassifierMixin, Average):
    """The mean of probabilities."""

    def fit(self, X: pd.DataFrame, y: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> Average:
        """Fit each member."""
        self.classes_ = np.unique(y)
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the mean probability of each class, [rows, classes]."""
        return self._mean("predict_proba", X)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the most probable class of each row, [rows]."""
        chosen: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return chosen


class AverageRegressor(RegressorMixin, Average):
    """The mean of predictions."""

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the mean prediction of each row, [rows]."""
        return self._mean("predict", X)
