"""A forest of extremely randomised trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import TREES, KindInput, ModelKind, Values

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter

_TREES = 200
_MOST_LEAVES = 2_000
"""Leaves of a tree: a forest of full-grown trees on many rows would be a model of hundreds of megabytes."""


class ExtraTreesKind(ModelKind):
    """Extra trees."""

    name, framework, order, title = "extra_trees", "sklearn", TREES, "extra trees"

    def portfolio(self, given: KindInput) -> list[Values]:
        usual: Values = {"min_samples_leaf": 1 if given.task.has_classes else 2, "max_features": 0.5}
        return [usual, {"min_samples_leaf": 5, "max_features": 0.7}]

    def space(self, given: KindInput) -> dict[str, Space]:
        return {
            "min_samples_leaf": Space(low=1, high=50, log=True, integer=True),
            "max_features": Space(low=0.1, high=1.0),
        }

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
        from sklearn.pipeline import Pipeline

        from components._frameworks.sklearn.design_matrix import DesignMatrix

        made = ExtraTreesClassifier if given.task.has_classes else ExtraTreesRegressor
        last = made(_TREES, max_leaf_nodes=_MOST_LEAVES, n_jobs=given.threads, **values)
        return Pipeline([("columns", DesignMatrix(scaled=False, whole=given.prepared)), ("model", last)])


KIND = ExtraTreesKind()
