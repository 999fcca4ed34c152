"""`transform.pca`: principal components of standardized columns of numbers, learned from the training rows.

They are learned before preprocessing_fn is traced, since a share of the variance decides how many there are; the graph has means, deviations
and directions as constants, so training and serving cannot differ. A value that is missing counts as the column's mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.project.transform_config import Pca
from components._core.suggestions import listed, suggest
from components._core.types.signature import Feature
from components.transform.number_statistics import MOST_COLUMNS, Batches, Moments, covariance, inverse, measure
from components.transform.preprocessing_fn import Preprocessing, Tensors

KEY = "transform.pca"
_NO_DIRECTION = 1e-10
"""Share of the variance up to which a direction is rounding: its component is 0 in every row."""
_ROUNDING = 1e-9
_AS_LARGE = 1 - 1e-6


@dataclass(frozen=True)
class Components:
    """Principal components of some columns.

    Attributes:
        moments: The columns, their means and variances.
        directions: The components' loadings [columns, components], each of length 1 with its largest loading above 0; 0 beyond the rank.
        share: The share of the columns' variance that they have.
        name: The name before their numbers.
    """

    moments: Moments
    directions: NDArray[np.float64]
    share: float
    name: str

    @property
    def count(self) -> int:
        """The number of components."""
        return int(self.directions.shape[1])

    @property
    def names(self) -> list[str]:
        """The components' names."""
        return [f"{self.name}_{number}" for number in range(self.count)]

    def describe(self) -> str:
        """Say what they are, for the stage's line."""
        empty = self.count - int(np.count_nonzero(self.directions.any(axis=0)))
        no_more = f", {empty} of them 0 in every row: the columns have no further direction" if empty else ""
        components = "component" if self.count == 1 else "components"
        return f"{self.count} {components} with {100 * self.share:.1f} % of the variance of {len(self.moments.names)} columns{no_more}"


def check_columns(rule: Pca, features: tuple[Feature, ...]) -> None:
    """Refuse a rule that does not fit the columns.

    Raises:
        ConfigError: When a column is not a feature, holds texts, or has the name of a component.
    """
    by_name = {feature.name: feature for feature in features}
    for name in rule.named_columns:
        if name not in by_name:
            message = f"{name!r} is not a feature of this table; {suggest(name, list(by_name))}"
            raise ConfigError(
                message, where=f"{KEY}.columns", remedy="name a column that is neither the label nor excluded"
            )
        if by_name[name].type.is_text:
            message = f"{name!r} holds texts, and only numbers are allowed"
            raise ConfigError(message, where=f"{KEY}.columns", remedy="take it out")
    if taken := [name for name in by_name if re.fullmatch(rf"{rule.name}_\d+", name)]:
        message = f"components would have the names of columns: {listed(taken)}"
        raise ConfigError(message, where=f"{KEY}.name", remedy="set another name")


def choose_columns(rule: Pca, kept: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """Choose the columns that the components are made of, in the order of the table.

    Args:
        rule: The rule.
        kept: The features that `transform.drop` leaves.

    Raises:
        ConfigError: When there are none, fewer than components, or too many.
    """
    chosen = tuple(
        feature
        for feature in kept
        if not feature.type.is_text and (rule.columns == "numeric" or feature.name in rule.columns)
    )
    if not chosen or (isinstance(rule.components, int) and rule.components > len(chosen)):
        count = "no column" if not chosen else f"{len(chosen)} column{'s' if len(chosen) > 1 else ''}"
        message = f"found {rule.components}, and the table has {count} of numbers for it"
        remedy = "lower components, name more columns, or loosen transform.drop"
        raise ConfigError(message, where=f"{KEY}.components", remedy=remedy)
    if len(chosen) > MOST_COLUMNS:
        message = f"cannot reduce {len(chosen):,} columns; {MOST_COLUMNS} are allowed"
        raise ConfigError(message, where=f"{KEY}.columns", remedy="name fewer columns")
    return chosen


def find_components(rule: Pca, names: tuple[str, ...], batches: Batches, count: int | None = None) -> Components:
    """Find the components in two passes over the training rows.

    Args:
        rule: The rule.
        names: The columns.
        batches: The training rows as preprocessing_fn would get them.
        count: The number of components, where it was decided before; None: the rule decides.

    Raises:
        ConfigError: When no column has two different values.
    """
    moments = measure(batches, names)
    values, vectors = np.linalg.eigh(covariance(batches, moments))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    total = float(values.sum())
    if not total and count is None:
        message = f"no column has two different values on the training rows: {listed(names)}"
        raise ConfigError(message, where=f"{KEY}.columns", remedy="name other columns")
    shares = np.cumsum(values) / (total or 1.0)
    if count is None:
        wanted = rule.components
        count = wanted if isinstance(wanted, int) else int(np.argmax(shares >= wanted - _ROUNDING)) + 1
    directions = _turn(vectors[:, :count]) * (values[:count] > _NO_DIRECTION * total)
    return Components(moments, directions, float(shares[min(count, len(names)) - 1]), rule.name)


def _turn(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn each vector so that its largest loading is positive; of equally large ones the first counts."""
    sizes = np.abs(vectors)
    first = np.argmax(sizes >= _AS_LARGE * sizes.max(axis=0), axis=0)
    turned: NDArray[np.float64] = vectors * np.where(vectors[first, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    return turned


def with_components(function: Preprocessing, components: Components) -> Preprocessing:
    """Give a preprocessing_fn the components besides its columns.

    Args:
        function: A preprocessing_fn.
        components: The components.
    """

    def preprocessing_fn(inputs: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return function(Tensors({**inputs, **_calculate(components, inputs)}))

    return preprocessing_fn


def _calculate(components: Components, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Calculate in float64: a large mean would take the digits of a float32."""
    moments = components.moments
    values = tf.stack([tf.cast(inputs[name], tf.float64) for name in moments.names], axis=1)
    scores = (values - tf.constant(moments.mean)) * tf.constant(inverse(np.sqrt(moments.variance)))
    scores = tf.where(tf.math.is_finite(scores), scores, tf.zeros_like(scores))
    made = tf.cast(tf.linalg.matmul(scores, tf.constant(components.directions)), tf.float32)
    return {name: made[:, number] for number, name in enumerate(components.names)}
