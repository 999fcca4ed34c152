"""Rows that are answered and refused one by one, as if each were a request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components._core.errors import ModelError
from components._core.types.signature import Feature, Signature
from components._frameworks.contract import Arrays, Model
from components._predictor.predictor import Predictor
from components._predictor.refusals import Refusal

FEATURES = (
    Feature("real", "float32", True),
    Feature("must", "float32", False),
    Feature("whole", "int64", False),
    Feature("text", "string", False),
)


class _Model(Model):
    """Answers real + whole; fails on rows whose text is `fail`, and answers NaN for `nan`."""

    signature = Signature("regression", FEATURES, {"prediction": "float32"}, ())

    def predict(self, arrays: Arrays) -> Arrays:
        if "fail" in arrays["text"]:
            raise ModelError("cannot do this")
        values = np.nan_to_num(arrays["real"]) + arrays["whole"].astype(np.float32)
        return {"prediction": np.where(arrays["text"] == "nan", np.float32(np.nan), values)}


POOLS: dict[str, list[Any]] = {
    "real": [0.5, 1, None, 1e300, "x", True, float("nan")],
    "must": [0.5, 2, None, float("inf"), b"x"],
    "whole": [1, 2, None, 2.0, 2**70, "3"],
    "text": ["a", "b", "", None, 7, "fail", "nan", b"\xff"],
}


@pytest.mark.parametrize("seed", range(5))
def test_each_row_is_answered_or_refused_as_alone(seed: int) -> None:
    random, predictor = np.random.default_rng(seed), Predictor(_Model())
    columns = {
        name: [pool[random.integers(len(pool))] if random.random() < 0.15 else pool[0] for _ in range(300)]
        for name, pool in POOLS.items()
    }
    found = predictor.answer_rows(columns)
    together: dict[int, Any] = dict(zip(found.kept.tolist(), found.outputs["prediction"].tolist(), strict=True))
    together |= {row: refusal.code for row, refusal in found.refusals.items()}
    alone: dict[int, Any] = {}
    for row in range(300):
        try:
            outputs = predictor.predict({name: values[row : row + 1] for name, values in columns.items()})
            alone[row] = float(outputs["prediction"][0])
        except Refusal as refusal:
            alone[row] = refusal.code
    assert together == alone and len(alone) == 300
    assert {refusal.code for refusal in found.refusals.values()} == {
        "wrong_type", "missing_feature", "not_finite", "model_failed"
    }  # fmt: skip


def test_a_refusal_does_not_name_a_row_that_is_not_the_callers() -> None:
    rows = {"real": [0.5, 0.5], "must": [1.0, 1.0], "whole": [1, 1.5], "text": ["a", "nan"]}
    refusals = Predictor(_Model()).answer_rows(rows).refusals
    assert str(refusals[1]) == "wrong_type: 'whole': 1.5 is not a whole number (int64)"
    refusals = Predictor(_Model()).answer_rows({**rows, "whole": [1, 1]}).refusals
    assert refusals[1].message == "the model's prediction is not a finite number; no feature is missing"


def test_vectors_of_numbers_are_answered_like_lists() -> None:
    columns: dict[str, Any] = {
        "real": np.array([np.nan, 1e300, 1.0]), "must": np.array([1.0, 1.0, np.nan]), "whole": np.array([1, 2, 3]),
        "text": ["a", "a", "a"],
    }  # fmt: skip
    found = Predictor(_Model()).answer_rows(columns)
    assert found.kept.tolist() == [0] and found.outputs["prediction"].tolist() == [1.0]
    assert {row: refusal.code for row, refusal in found.refusals.items()} == {1: "not_finite", 2: "missing_feature"}


def test_a_model_that_fails_on_every_row_ends_the_batch() -> None:
    rows = {"real": [0.5] * 500, "must": [1.0] * 500, "whole": [1] * 500, "text": ["fail"] * 500}
    with pytest.raises(ModelError, match="cannot do this"):
        Predictor(_Model()).answer_rows(rows)


def test_a_column_that_the_model_does_not_take_refuses_all_rows() -> None:
    with pytest.raises(Refusal, match="unknown feature 'other'"):
        Predictor(_Model()).answer_rows({"other": [1]})
