"""The estimators of a pipeline, with the names under which the person who wrote it knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from components._frameworks.sklearn.average import Average
from components._frameworks.sklearn.boosted_trees import is_boosted, read_trees


@dataclass(frozen=True)
class Step:
    """An estimator of a pipeline.

    Attributes:
        name: Names of the steps on the way to it, as in `columns.numbers.scale`.
        estimator: The estimator, or a word such as `passthrough`.
    """

    name: str
    estimator: Any

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.estimator).__name__

    def count_numbers(self) -> int:
        """Count the numbers that it holds: of its fitted arrays, and of nodes of trees."""
        if is_boosted(self.estimator):
            return sum(len(tree.nodes) for tree in read_trees(self.estimator).trees)
        return _count(self.estimator) if isinstance(self.estimator, BaseEstimator) else 0


def walk(estimator: Any, name: str = "") -> Iterator[Step]:
    """Yield the estimators of a pipeline in order: those that only hold others are left out."""
    inner = _inner(estimator)
    if inner is None:
        yield Step(name, estimator)
        return
    for part, held in inner:
        yield from walk(held, f"{name}.{part}".lstrip("."))


def _inner(estimator: Any) -> list[tuple[str, Any]] | None:
    if isinstance(estimator, Pipeline):
        return list(estimator.steps)
    if isinstance(estimator, Average):
        return [
            (str(place), member) for place, member in enumerate(getattr(estimator, "members_", estimator.members), 1)
        ]
    if isinstance(estimator, FeatureUnion):
        return list(estimator.transformer_list)
    if isinstance(estimator, ColumnTransformer):  # `transformers_` has the fitted copies
        return [(part[0], part[1]) for part in getattr(estimator, "transformers_", estimator.transformers)]
    return None


def _count(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return sum(map(_count, value.flat)) if value.dtype == object else int(value.size)
    if isinstance(value, list | tuple):
        return sum(map(_count, value))
    if isinstance(value, BaseEstimator):
        return sum(_count(held) for name, held in vars(value).items() if name.startswith("_") != name.endswith("_"))
    return int(getattr(value, "node_count", 0)) + _count(getattr(value, "nodes", ()))  # trees of a forest, of boosting
