"""Boosted trees of XGBoost as a kind of model. Importing this imports no library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import TREES, KindInput, ModelKind, Values

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter

_MOST_ROUNDS, _PATIENCE = 2_000, 50


class XgboostKind(ModelKind):
    """XGBoost."""

    name, framework, order, title = "xgboost", "xgboost", TREES, "boosted trees of XGBoost"

    def portfolio(self, given: KindInput) -> list[Values]:
        usual: Values = {
            "learning_rate": 0.05,
            "max_depth": 6,
            "min_child_weight": 1.0,
            "colsample_bytree": 0.8,
            "subsample": 0.9,
            "reg_lambda": 1.0,
        }
        small: Values = {**usual, "max_depth": 3, "min_child_weight": 5.0, "colsample_bytree": 0.6, "subsample": 0.8}
        deep: Values = {
            **usual,
            "learning_rate": 0.04,
            "max_depth": 9,
            "min_child_weight": 3.0,
            "colsample_bytree": 0.6,
        }
        return [usual, small, deep]

    def space(self, given: KindInput) -> dict[str, Space]:
        return {
            "learning_rate": Space(low=0.01, high=0.2, log=True),
            "max_depth": Space(low=2, high=10, integer=True),
            "min_child_weight": Space(low=0.01, high=100.0, log=True),
            "colsample_bytree": Space(low=0.3, high=1.0),
            "subsample": Space(low=0.5, high=1.0),
            "reg_lambda": Space(low=0.001, high=100.0, log=True),
        }

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        fixed: dict[str, Any] = {"n_jobs": None if given.threads < 0 else given.threads}
        if "n_estimators" not in values:
            fixed |= {"n_estimators": _MOST_ROUNDS, "early_stopping_rounds": _PATIENCE}
        return {**fixed, **values}


KIND = XgboostKind()
