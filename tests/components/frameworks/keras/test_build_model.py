from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components._core.errors import ConfigError
from components._core.types.tasks import TASKS
from components._frameworks.keras.build_model import build
from components._frameworks.transformed_rows import Column


def _score(inputs: dict[str, Any], transform: Any, hyperparameters: dict[str, Any]) -> Any:
    return keras.layers.Dense(1, "sigmoid")(inputs["x"])


def test_a_model_is_compiled_with_the_loss_and_the_metrics_of_its_task(tmp_path: Path) -> None:
    task = replace(
        TASKS["regression"], name="forecast", loss="mean_absolute_error", training_metrics={"mse": "MeanSquaredError"}
    )
    columns = (Column("x", "float32", ()),)
    model = build(_score, tmp_path, "model.py", columns, None, {}, task=task, classes=[], seed=1)
    assert model.loss == "mean_absolute_error"
    rows = np.zeros((4, 1), np.float32)
    assert set(model.evaluate({"x": rows}, rows, verbose=0, return_dict=True)) == {"loss", "mse"}


@pytest.mark.parametrize("rate", ["fast", True, -0.1])
def test_a_learning_rate_that_cannot_be_one_is_reported_with_its_place(rate: Any, tmp_path: Path) -> None:
    where = {"columns": (Column("x", "float32", ()),), "folder": tmp_path, "file": "model.py", "transform": None}
    with pytest.raises(ConfigError, match=r"train\.hyperparameters\.learning_rate.*must be a number, not below 0"):
        build(_score, hyperparameters={"learning_rate": rate}, task=TASKS["regression"], classes=[], seed=1, **where)
