"""Before it is ready a model answers a real row, or one of those that are made up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ModelError
from components._core.examples.reference_rows import Reference
from components._core.types.signature import Feature
from components._predictor.predictor import load
from components._predictor.refusals import Refusal
from components._predictor.warm_up import warm_up
from tests.components.serve.conftest import Make
from tests.components.tiny_models import write_model

FEATURES = (Feature("amount", "float32", False), Feature("duration", "int64", False), Feature("day", "string", True))
KNOWN = {"amount": 1_200.0, "duration": 6, "day": "2024-05-01"}


def divides(amount: float, duration: int, day: str) -> float:
    return amount / duration if duration else math.nan


def divides_by_a_difference(amount: float, duration: int, day: str) -> float:
    return 1.0 / (amount - duration) if amount != duration else math.inf


def takes_a_logarithm(amount: float, duration: int, day: str) -> float:
    return math.log(amount - 1_000) if amount > 1_000 else math.nan


def reads_a_date(amount: float, duration: int, day: str) -> float:
    return float(day[:4])  # as an operation of the model's: it fails, and with it the request


def answers_real_rows_only(amount: float, duration: int, day: str) -> float:
    return math.log(amount - duration * 100) if (amount, duration) == (1_200.0, 6) else math.nan


def never_answers(amount: float, duration: int, day: str) -> float:
    return math.nan


def predict(model: Any) -> Any:
    def called(columns: dict[str, list[Any]], _: str) -> None:
        try:
            value = model(**{name: values[0] for name, values in columns.items()})
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise Refusal("model_failed", "not finite")

    return called


@pytest.mark.parametrize("model", [divides, divides_by_a_difference, takes_a_logarithm, reads_a_date])
def test_a_model_without_an_answer_for_some_made_up_row_is_taken(model: Any) -> None:
    warm_up(predict(model), FEATURES, {})
    warm_up(predict(model), FEATURES, KNOWN)


def test_a_real_row_decides_alone() -> None:
    warm_up(predict(answers_real_rows_only), FEATURES, KNOWN)
    with pytest.raises(Refusal):
        warm_up(predict(answers_real_rows_only), FEATURES, {})
    with pytest.raises(Refusal):
        warm_up(predict(divides), FEATURES, {**KNOWN, "duration": 0})


def test_a_model_that_answers_nothing_is_refused_with_and_without_a_real_row() -> None:
    for row in ({}, KNOWN):
        with pytest.raises(Refusal, match="not finite"):
            warm_up(predict(never_answers), FEATURES, row)


def test_the_real_row_is_read_from_the_models_folder(tmp_path: Path) -> None:
    model = write_model(tmp_path, "regression")
    row = {"delay": None, "month": 6, "carrier": "AA", "noise": 0.5}
    Reference(row, {"month": (1, 12)}).save(model / "reference.json")
    assert load(model).predict({name: [value] for name, value in row.items()})
    Reference({**row, "month": None}).save(model / "reference.json")
    with pytest.raises(ModelError, match="does not answer one row: missing_feature: 'month'"):
        load(model)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"row": 1, "ranges": {}}', '{"row": {}, "ranges": {"a": [1]}}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "reference.json").write_text(content)
    assert Reference.load(tmp_path) == Reference()


def test_a_broken_model_is_refused_with_and_without_a_real_row(model: Make, tmp_path: Path) -> None:
    broken = write_model(tmp_path, "regression", broken=True)
    for row in ({}, {"delay": 1.0, "month": 6, "carrier": "AA", "noise": 0.5}):
        Reference(row).save(broken / "reference.json")
        with pytest.raises(ModelError, match="does not answer one row: model_failed: the model's prediction"):
            load(broken)
