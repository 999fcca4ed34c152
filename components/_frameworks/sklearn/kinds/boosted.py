"""Boosted trees of scikit-learn itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import TREES, KindInput, ModelKind, Values

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter

_MOST_ROUNDS, _PATIENCE = 1000, 20


class BoostedKind(ModelKind):
    """HistGradientBoosting."""

    name, framework, order, title, is_baseline = "boosted", "sklearn", TREES, "boosted trees", True

    def portfolio(self, given: KindInput) -> list[Values]:
        usual: Values = {
            "learning_rate": 0.1,
            "max_leaf_nodes": 31,
            "min_samples_leaf": 20,
            "l2_regularization": 1e-4,
            "max_features": 1.0,
        }
        return [usual]

    def space(self, given: KindInput) -> dict[str, Space]:
        return {
            "learning_rate": Space(low=0.02, high=0.3, log=True),
            "max_leaf_nodes": Space(low=4, high=128, log=True, integer=True),
            "min_samples_leaf": Space(low=2, high=100, log=True, integer=True),
            "l2_regularization": Space(low=1e-4, high=10.0, log=True),
            "max_features": Space(low=0.4, high=1.0),
        }

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        made = HistGradientBoostingClassifier if given.task.has_classes else HistGradientBoostingRegressor
        stopping: dict[str, Any] = {"early_stopping": False}
        if "max_iter" not in values:
            stopping = {
                "max_iter": _MOST_ROUNDS,
                "early_stopping": True,
                "n_iter_no_change": _PATIENCE,
                "tol": given.least_gain,
            }
        return made(**stopping, **values)


KIND = BoostedKind()
