"""Read the trees of scikit-learn's own HistGradientBoosting, and stop its fit early on the eval rows.

They have no public form. The names with an underscore are the same in 1.7 to 1.9, and the comparison after each fit finds it when one
gets another meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._frameworks.sklearn.boosted_trees import BoostedTrees, Link, Node, Tree
from components._frameworks.sklearn.early_stopping import EarlyStopping, Rows

_WORD = 32  # bits of a number of a bit set
_LOG_LINKS = ("gamma", "poisson")


def read_hist_gradient_boosting(estimator: Any) -> BoostedTrees:
    """Read a fitted HistGradientBoostingClassifier or HistGradientBoostingRegressor."""
    columns = _Columns(estimator)
    trees = tuple(
        Tree(target, tuple(columns.node(node, predictor.raw_left_cat_bitsets) for node in predictor.nodes))
        for iteration in estimator._predictors
        for target, predictor in enumerate(iteration)
    )
    base = np.asarray(estimator._baseline_prediction, np.float64).reshape(-1)
    return BoostedTrees(trees, base, _link(estimator), estimator.n_features_in_)


def _link(estimator: Any) -> Link:
    if hasattr(estimator, "classes_"):
        return "sigmoid" if estimator.n_trees_per_iteration_ == 1 else "softmax"
    return "exp" if estimator.loss in _LOG_LINKS else "identity"


def _fit(estimator: Any, train: Rows, judged: Rows) -> None:
    estimator.fit(
        train.columns,
        train.labels,
        sample_weight=train.weights,
        X_val=judged.columns,
        y_val=judged.labels,
        sample_weight_val=judged.weights,
    )
    # unlike the other libraries it keeps the rounds after the best one
    best = int(np.argmax(estimator.validation_score_))
    del estimator._predictors[max(best, 1) :]


STOPPING = EarlyStopping(
    "max_iter", lambda estimator: estimator.early_stopping is True, _fit, lambda estimator: len(estimator._predictors)
)
"""Where a project says `early_stopping=True`; with `auto` scikit-learn sets some of the training rows aside, as ever."""


class _Columns:
    """The columns as the trees know them: those with categories come first, their values are the ranks of the categories."""

    def __init__(self, estimator: Any) -> None:
        categorical = estimator.is_categorical_
        self._places = np.arange(estimator.n_features_in_)
        self._categories: list[NDArray[Any]] = []
        if categorical is not None:
            self._places = np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
            encoder = estimator._preprocessor.named_transformers_["encoder"]
            found = [np.asarray(values, np.float64) for values in encoder.categories_]
            self._categories = [values[~np.isnan(values)] for values in found]  # a missing value may be among them

    def node(self, node: Any, left_sets: NDArray[Any]) -> Node:
        """Return a node; a category that the fit did not know goes the way of a missing value."""
        if node["is_leaf"]:
            return Node(value=float(node["value"]))
        place, left, right = int(node["feature_idx"]), int(node["left"]), int(node["right"])
        missing_left, gain = bool(node["missing_go_to_left"]), float(node["gain"])
        column = int(self._places[place])
        if not node["is_categorical"]:
            return Node(0.0, left, right, column, float(node["num_threshold"]), missing_left, None, gain)
        known, bits = self._categories[place], left_sets[int(node["bitset_idx"])]
        to_left = np.array([bits[rank // _WORD] >> (rank % _WORD) & 1 for rank in range(len(known))], dtype=bool)
        if missing_left:  # named are those that go the other way
            return Node(0.0, right, left, column, categories=tuple(known[~to_left]), gain=gain)
        return Node(0.0, left, right, column, categories=tuple(known[to_left]), gain=gain)
