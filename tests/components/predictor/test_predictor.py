"""The predictor core, without any server."""

from pathlib import Path

import numpy as np
import pytest

from components._core.errors import ModelError
from components._frameworks.table import load_model
from components._predictor.predictor import Predictor, load
from components._predictor.refusals import Refusal
from tests.components.serve.conftest import Make

ROWS = {"delay": [30.0, None], "month": [6, 6], "carrier": ["AA", "nobody"], "noise": [0.0, 0.0]}


def test_rows_are_answered_with_every_output(model: Make) -> None:
    outputs = load(model()).predict(ROWS)
    assert outputs["probabilities"].shape == (2, 3) and outputs["class"].tolist() == ["late", "on time"]


def test_an_unknown_category_and_a_missing_number_are_answered(model: Make) -> None:
    probability = load(model("binary_classification")).predict(ROWS)["probability"]
    assert probability == pytest.approx([1 / (1 + np.exp(-2.0)), 0.5])


def test_a_folder_that_is_not_there_or_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError):
        load(tmp_path)


def test_a_model_that_answers_nan_never_gets_ready(model: Make) -> None:
    with pytest.raises(ModelError, match="does not answer one row"):
        load(model(broken=True))


def test_a_client_does_not_see_what_went_wrong_inside(model: Make) -> None:
    predictor = Predictor(load_model(model("regression", broken=True)))
    with pytest.raises(Refusal) as caught:
        predictor.predict(ROWS)
    assert caught.value.status == 500 and "prediction is not a finite number" in str(caught.value)
