"""A linear model on standardised numbers and a coefficient for each frequent text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import LINEAR, KindInput, ModelKind, Values

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter

_MOST_STEPS = 300


class LinearKind(ModelKind):
    """Logistic regression, or ridge regression for numbers."""

    name, framework, order, title, is_baseline = "linear", "sklearn", LINEAR, "linear model", True

    def portfolio(self, given: KindInput) -> list[Values]:
        strengths = (1.0, 0.03, 30.0)
        return [{self._strength(given): value} for value in strengths]

    def space(self, given: KindInput) -> dict[str, Space]:
        return {self._strength(given): Space(low=0.001, high=1000.0, log=True)}

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import Pipeline

        from components._frameworks.sklearn.design_matrix import DesignMatrix

        last = LogisticRegression(**values, max_iter=_MOST_STEPS) if given.task.has_classes else Ridge(**values)
        return Pipeline([("columns", DesignMatrix(whole=given.prepared)), ("model", last)])

    @staticmethod
    def _strength(given: KindInput) -> str:
        return "C" if given.task.has_classes else "alpha"


KIND = LinearKind()
