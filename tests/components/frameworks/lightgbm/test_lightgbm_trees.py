"""LightGBM over raw columns gives the same answers as ONNX, whatever its parameters are, or is refused with them."""

from __future__ import annotations

import pandas as pd
import pytest

from components._core.errors import UserCodeError
from components._core.types.tasks import TASKS
from tests.components.frameworks.sklearn.test_boosted_conversion import (
    TABLES,
    check_parameters,
    check_scores,
    labels,
    table,
)
from tests.components.frameworks.sklearn.test_onnx_conversion import CLASSES

pytest.importorskip("lightgbm")
from components._frameworks.lightgbm.estimators import complete
from components._frameworks.sklearn.boosted_trees import read_trees

PARAMETERS = ({}, {"min_data_per_group": 5, "cat_smooth": 1}, {"max_depth": 2, "subsample": 0.5, "subsample_freq": 1})


@pytest.mark.parametrize("columns", TABLES)
@pytest.mark.parametrize("task", CLASSES)
def test_every_row_has_the_estimators_score(task: str, columns: list[str]) -> None:
    check_parameters(complete, PARAMETERS, task, columns)


@pytest.mark.parametrize("objective", ["poisson", "tweedie", "quantile"])
def test_other_objectives(objective: str) -> None:
    known = table(800, 3)[["width", "place"]]
    estimator = complete({"n_estimators": 10, "objective": objective}, TASKS["regression"])
    check_scores(estimator, "regression", known, abs(labels(table(800, 3), "regression")), known, 1e-5)


def test_a_number_that_was_never_missing_counts_as_0_where_it_is() -> None:
    known = table(800, 3)[["month"]].astype("float32")
    others = known.assign(month=known["month"].where(known["month"] > 3))
    estimator = complete({"n_estimators": 10}, TASKS["regression"])
    check_scores(estimator, "regression", known, known["month"].to_numpy() % 5, others)


@pytest.mark.parametrize(
    "parameters",
    [
        {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
        {"linear_tree": True},
        {"zero_as_missing": True},
        {"reg_sqrt": True},
    ],
)
def test_what_has_no_conversion_is_refused(parameters: dict[str, object]) -> None:
    known = pd.DataFrame({"x": range(100)}, dtype="float32")
    estimator = complete({"n_estimators": 3, **parameters}, TASKS["regression"]).fit(known, known["x"])
    with pytest.raises(UserCodeError, match=r"LightGBM's .* cannot be converted to ONNX"):
        read_trees(estimator)


def test_fits_are_repeatable_unless_a_person_says_otherwise() -> None:
    assert complete({}, TASKS["regression"]).get_params()["deterministic"] is True
    assert complete({"deterministic": False}, TASKS["regression"]).get_params()["deterministic"] is False
