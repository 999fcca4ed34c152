"""Transformed features that a Keras model does not use, whatever the kind of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

from components._core.types.tasks import TASKS
from components._frameworks.keras.build_model import build
from components._frameworks.keras.unused_columns import find_unused
from components._frameworks.transformed_rows import Column

COLUMNS = (Column("a/b", "float32", ()), Column("code", "int64", ()), Column("words", "float32", (3,)))


def _embedded(code: Any) -> Any:
    return keras.layers.Embedding(5, 2)(code)


def _all(inputs: dict[str, Any]) -> Any:
    return [inputs["a/b"], _embedded(inputs["code"]), inputs["words"]]


def _functional(parts: Any) -> Any:
    def build_model(inputs: dict[str, Any], transform: Any, given: Any) -> Any:
        return keras.layers.Dense(1, activation="sigmoid")(keras.layers.Concatenate()(parts(inputs)))

    return build_model


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.last = keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs: Any) -> Any:
        return self.last(keras.ops.concatenate([inputs["a/b"], inputs["words"]], axis=-1))


def _only_its_own(inputs: dict[str, Any], transform: Any, given: Any) -> Any:
    return keras.Model({"words": inputs["words"]}, keras.layers.Dense(1, activation="sigmoid")(inputs["words"]))


@pytest.mark.parametrize(
    ("build_model", "unused"),
    [
        (_functional(_all), []),
        (_functional(lambda inputs: [inputs["a/b"], inputs["words"]]), ["code"]),
        (_functional(lambda inputs: [inputs["words"], _embedded(inputs["code"])]), ["a/b"]),
        (_only_its_own, ["a/b", "code"]),
        (lambda inputs, transform, given: Subclassed(), ["code"]),
    ],
    ids=["all", "an index left out", "a name with a slash", "a model of one input", "subclassed"],
)
def test_features_without_a_way_to_the_output_are_named(build_model: Any, unused: list[str], tmp_path: Path) -> None:
    task = TASKS["binary_classification"]
    model = build(build_model, tmp_path, "model.py", COLUMNS, None, {}, task=task, classes=["0", "1"], seed=1)
    assert find_unused(model, COLUMNS) == unused
