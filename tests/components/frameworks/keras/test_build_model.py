from pathlib import Path
from typing import Any

import keras
import pytest

from components._core.errors import ConfigError
from components._frameworks.keras.build_model import build
from components._frameworks.keras.datasets import Column


def _score(inputs: dict[str, Any], transform: Any, hyperparameters: dict[str, Any]) -> Any:
    return keras.layers.Dense(1, "sigmoid")(inputs["x"])


@pytest.mark.parametrize("rate", ["fast", True, -0.1])
def test_a_learning_rate_that_cannot_be_one_is_told_with_its_place(rate: Any, tmp_path: Path) -> None:
    where = {"columns": (Column("x", "float32", ()),), "folder": tmp_path, "file": "model.py", "transform": None}
    with pytest.raises(ConfigError, match=r"train\.hyperparameters\.learning_rate.*must be a number, not below 0"):
        build(_score, hyperparameters={"learning_rate": rate}, task="regression", classes=[], seed=1, **where)
