"""The rules of `transform.columns`: steps in front of the project's preprocessing_fn, inside its graph.

What is learned (means, medians) are analyzers of that graph, made of the training rows; so training and serving cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf
import tensorflow_transform as tft

from components._core.errors import ConfigError
from components._core.project.transform_config import ColumnRule
from components._core.suggestions import suggest
from components._core.types.signature import Feature
from components.transform.preprocessing_fn import Preprocessing, Tensors

_KEY = "transform.columns"
_LARGEST = float(tf.float32.max)
_RANK_ERROR = 1e-4
"""Error of a median's rank, as a share of the rows."""


def check_rules(rules: Mapping[str, ColumnRule], features: tuple[Feature, ...]) -> None:
    """Refuse rules that do not fit the columns.

    Raises:
        ConfigError: When a column is not a feature, or a rule is for another type.
    """
    by_name = {feature.name: feature for feature in features}
    for name, rule in rules.items():
        if name not in by_name:
            message = f"{name!r} is not a feature of this table; {suggest(name, list(by_name))}"
            raise ConfigError(message, where=_KEY, remedy="name a column that is neither the label nor excluded")
        if problem := _find_misfit(rule, by_name[name]):
            raise ConfigError(f"{name}: {problem}", where=_KEY, remedy="correct the rule, or remove it")


def _find_misfit(rule: ColumnRule, feature: Feature) -> str:
    is_value = rule.impute is not None and rule.impute not in ("median", "mean")
    if not feature.type.is_text:
        return _find_number_misfit(rule, feature, is_value)
    if rule.clip is not None:
        return "clip is for numbers, and the column holds texts"
    if not is_value or not isinstance(rule.impute, str):
        return f"impute is {rule.impute!r}, and the column holds texts: a text is allowed, in quotes if it looks like a number"
    return ""


def _find_number_misfit(rule: ColumnRule, feature: Feature, is_value: bool) -> str:
    if is_value and isinstance(rule.impute, str):
        return f"impute is the text {rule.impute!r}, and the column holds numbers: median, mean or a number"
    if is_value and abs(float(rule.impute or 0)) > _LARGEST:
        return f"impute is {rule.impute:g}, and the largest number of a model is {_LARGEST:g}"
    if rule.clip is not None and not feature.type.is_real and math.ceil(rule.clip[0]) > math.floor(rule.clip[1]):
        return f"no whole number lies in clip {list(rule.clip)}, and the column holds whole numbers"
    return ""


def with_column_rules(
    function: Preprocessing, rules: Mapping[str, ColumnRule], features: tuple[Feature, ...]
) -> Preprocessing:
    """Put the rules in front of a preprocessing_fn; without rules it is the same function.

    Args:
        function: The project's preprocessing_fn.
        rules: Rules by column, which fit the features.
        features: Inputs of the function.
    """
    if not rules:
        return function
    by_name = {feature.name: feature for feature in features}

    def preprocessing_fn(inputs: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        changed = {name: _apply(inputs[name], rule, by_name[name]) for name, rule in rules.items()}
        return function(Tensors({**inputs, **changed}))

    return preprocessing_fn


def _apply(values: tf.Tensor, rule: ColumnRule, feature: Feature) -> tf.Tensor:
    if feature.type.is_text:
        return tf.where(tf.equal(values, ""), tf.constant(rule.impute), values)
    if rule.clip is not None:
        values = _clip(values, *rule.clip)
    return values if rule.impute is None or not feature.type.is_real else _impute(values, rule.impute)


def _clip(values: tf.Tensor, low: float, high: float) -> tf.Tensor:
    if not values.dtype.is_floating:  # the whole numbers between the bounds
        low, high = math.ceil(low), math.floor(high)
    least, most = values.dtype.min, values.dtype.max
    clipped = tf.clip_by_value(values, min(max(low, least), most), min(max(high, least), most))
    return tf.where(tf.math.is_nan(values), values, clipped) if values.dtype.is_floating else clipped


def _impute(values: tf.Tensor, rule: str | float) -> tf.Tensor:
    missing = tf.math.is_nan(values)
    known = tf.boolean_mask(values, ~missing)
    if rule == "mean":
        fill = tf.cast(tft.mean(known), values.dtype)
    elif rule == "median":
        fill = tf.reshape(tft.quantiles(known, num_buckets=2, epsilon=_RANK_ERROR), [])
    else:
        fill = tf.constant(rule, values.dtype)
    return tf.where(missing, fill, values)
