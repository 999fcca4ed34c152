"""An exported model in memory: checked inputs, many threads, and a signature that it must fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.errors import ModelError
from components._core.examples.artifact import read_head
from components._core.types.signature import Signature, to_arrays
from components._frameworks.contract import Model
from components._frameworks.onnx_models.onnx_model import open_model
from components._frameworks.table import load_model
from components._predictor.predictor import Predictor
from tests.components.small_penguins import Penguins


@pytest.fixture(scope="module")
def loaded(model: Path) -> Model:
    return load_model(model)


@pytest.fixture(scope="module")
def rows(penguins: Penguins, loaded: Model) -> dict[str, Any]:
    inputs = loaded.signature.inputs
    return to_arrays(read_head(penguins.path("examples"), "test", 30, [item.name for item in inputs]), inputs)


def test_answers_are_the_same_from_many_threads(loaded: Model, rows: dict[str, Any]) -> None:
    expected = loaded.predict(rows)
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: loaded.predict(rows), range(64)):
            assert np.array_equal(answer["probabilities"], expected["probabilities"])
            assert answer["class"].tolist() == expected["class"].tolist()


def test_no_rows_give_no_answers(loaded: Model, rows: dict[str, Any]) -> None:
    answer = loaded.predict({name: values[:0] for name, values in rows.items()})
    assert answer["probabilities"].shape == (0, 3) and answer["class"].shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sex": None}, "feature sex: is missing"),
        ({"year": np.zeros((30, 1), np.int64)}, r"feature year: has shape \[30, 1\]"),
        ({"sex": np.zeros(30, np.float32)}, "feature sex: is not string"),
        ({"year": np.zeros(3, np.int64)}, "the model failed on these rows"),
    ],
)
def test_unfit_arrays_are_refused(loaded: Model, rows: dict[str, Any], change: dict[str, Any], message: str) -> None:
    given = {name: values for name, values in (rows | change).items() if values is not None}
    with pytest.raises(ModelError, match=message):
        loaded.predict(given)


def test_a_model_that_does_not_fit_its_signature_is_refused(model: Path) -> None:
    signature = Signature.load(model)
    for wrong in (replace(signature, inputs=signature.inputs[1:]), replace(signature, outputs={"class": "string"})):
        with pytest.raises(ModelError, match=r"does not load: it (takes|gives)"):
            open_model(wrong, model)


def test_a_damaged_file_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x00")
    with pytest.raises(ModelError, match="does not load"):
        open_model(Signature.load(model), tmp_path)


def test_a_server_answers_text_and_missing_values(loaded: Model) -> None:
    columns = {"island": ["Biscoe", "Nowhere"], "bill_length_mm": [46.1, None], "bill_depth_mm": [13.2, 18.0]}
    columns |= {
        "flipper_length_mm": [211.0, 190.0],
        "body_mass_g": [4500.0, None],
        "sex": ["female", None],
        "year": [2007, 2008],
    }
    answer = Predictor(loaded).predict(columns)
    assert answer["class"].tolist()[0] == "Gentoo"
    assert answer["probabilities"].sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
