from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from components._core.errors import ModelError
from components._core.examples import read_head
from components._core.features import Feature, to_arrays
from components._model.calling import load_model, tensor_names
from tests.components.small_flights import Small


@pytest.fixture
def copy(small: Small, tmp_path: Path) -> Path:
    return shutil.copytree(small.path("model"), tmp_path / "model")


def test_a_missing_part_is_named(copy: Path):
    (copy / "signature.json").unlink()
    with pytest.raises(ModelError, match=r"signature\.json: is missing"):
        load_model(copy)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_does_not_load(copy: Path, part: str):
    (copy / "saved_model" / part).write_bytes(b"\x01damaged")
    with pytest.raises(ModelError, match="does not load"):
        load_model(copy)


def test_a_missing_feature_is_named(small: Small):
    loaded = load_model(small.path("model"))
    rows = to_arrays(read_head(small.path("examples"), "test", 3), loaded.signature.inputs)
    with pytest.raises(ModelError, match="feature carrier: is missing"):
        loaded.predict({name: values for name, values in rows.items() if name != "carrier"})
    with pytest.raises(ModelError, match=r"feature hour: has shape \[3, 1\], must be \[rows\]"):
        loaded.predict({**rows, "hour": rows["hour"][:, None]})
    with pytest.raises(ModelError, match="feature hour: is no int64"):
        loaded.predict({**rows, "hour": np.array(["a", "b", "c"], dtype=object)})


def test_names_that_tensorflow_cannot_take_are_spelt_out_and_stay_apart():
    names = ["age", "Age", "sepal length", "class", "self", "Fare", "_row", "row", "column_sepal_20_length", "__"]
    tensors = tensor_names(tuple(Feature(name, "float32", False) for name in names))
    assert tensors["Fare"] == "Fare" and tensors["sepal length"] == "column_sepal_20_length"
    assert len({name.lower() for name in tensors.values()}) == len(names)
