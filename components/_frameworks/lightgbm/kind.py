"""Boosted trees of LightGBM as a kind of model. Importing this imports no library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import TREES, KindInput, ModelKind, Values

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter

_MOST_ROUNDS, _PATIENCE = 2_000, 50


class LightgbmKind(ModelKind):
    """LightGBM."""

    name, framework, order, title = "lightgbm", "lightgbm", TREES, "boosted trees of LightGBM"

    def portfolio(self, given: KindInput) -> list[Values]:
        usual: Values = {
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_child_samples": 20,
            "colsample_bytree": 0.8,
            "subsample": 1.0,
            "reg_lambda": 0.001,
            "cat_smooth": 10.0,
            "extra_trees": False,
        }
        large: Values = {
            **usual,
            "learning_rate": 0.03,
            "num_leaves": 128,
            "min_child_samples": 5,
            "colsample_bytree": 0.9,
        }
        random: Values = {**usual, "extra_trees": True}
        small: Values = {**usual, "learning_rate": 0.03, "num_leaves": 7, "min_child_samples": 5, "subsample": 0.8}
        return [usual, large, random, small]

    def space(self, given: KindInput) -> dict[str, Space]:
        return {
            "learning_rate": Space(low=0.01, high=0.2, log=True),
            "num_leaves": Space(low=4, high=256, log=True, integer=True),
            "min_child_samples": Space(low=2, high=200, log=True, integer=True),
            "colsample_bytree": Space(low=0.3, high=1.0),
            "subsample": Space(low=0.5, high=1.0),
            "reg_lambda": Space(low=0.001, high=100.0, log=True),
            "cat_smooth": Space(low=1.0, high=200.0, log=True),
            "extra_trees": Space(choices=[False, True]),
        }

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        fixed: dict[str, Any] = {"subsample_freq": 1, "n_jobs": given.threads}
        if "n_estimators" not in values:
            stopping = {"early_stopping_round": _PATIENCE, "early_stopping_min_delta": given.least_gain}
            fixed |= {"n_estimators": _MOST_ROUNDS, **stopping}
        return {**fixed, **values}


KIND = LightgbmKind()
