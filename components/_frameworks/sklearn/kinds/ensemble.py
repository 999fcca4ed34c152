"""The average of models of other kinds. A search makes it of the best ones; it has no values of its own to search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from components._core.project.tune_config import Space
from components._frameworks.model_kinds import ENSEMBLE, ENSEMBLE_KIND, KindInput, ModelKind, Values, find_kind
from components._frameworks.table import check_installed, find_framework

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._frameworks.sklearn.framework import SklearnFramework

_KIND, _WEIGHT = "kind", "weight"


class EnsembleKind(ModelKind):
    """The average of several models. Its values are those of its members: `1.kind`, `1.weight`, `1.learning_rate`, `2.kind`, ..."""

    name, framework, order, title = ENSEMBLE_KIND, "sklearn", ENSEMBLE, "the average of the best"

    def portfolio(self, given: KindInput) -> list[Values]:
        return []

    def space(self, given: KindInput) -> dict[str, Space]:
        return {}

    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        from components._frameworks.sklearn.average import AverageClassifier, AverageRegressor
        from components._frameworks.sklearn.build_model import as_pipeline

        members, weights = [], []
        for name, own in split_members(values):
            weights.append(float(own.pop(_WEIGHT, 1)))
            kind = find_kind(name)
            made = kind.build(own, given)
            framework = cast("SklearnFramework", find_framework(kind.framework))
            check_installed(framework, f"the kind {name} of the average")
            complete = framework.completion(given.task)
            members.append(as_pipeline(complete(made) if complete else made, prepared=given.prepared))
        return (AverageClassifier if given.task.has_classes else AverageRegressor)(tuple(members), tuple(weights))


def split_members(values: Mapping[str, Hyperparameter]) -> list[tuple[str, Values]]:
    """Return the kinds of the members and their values, in the order of their numbers."""
    members: dict[str, Values] = {}
    for name, value in sorted(values.items()):
        place, _, own = name.partition(".")
        members.setdefault(place, {})[own] = value
    return [(str(own.pop(_KIND)), own) for own in members.values()]


KIND = EnsembleKind()
