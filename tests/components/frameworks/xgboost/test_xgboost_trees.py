"""XGBoost over raw columns gives the same answers as ONNX, whatever its parameters are, or is refused with them."""

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

pytest.importorskip("xgboost")
from components._frameworks.sklearn.boosted_trees import read_trees
from components._frameworks.sklearn.build_model import as_pipeline
from components._frameworks.xgboost.estimators import complete

# one category against all others; several; another beginning
PARAMETERS = (
    {},
    {"max_cat_to_onehot": 1, "base_score": 0.3},
    {"max_depth": 2, "num_parallel_tree": 2, "subsample": 0.5},
)


@pytest.mark.parametrize("columns", TABLES)
@pytest.mark.parametrize("task", CLASSES)
def test_every_row_has_the_estimators_score(task: str, columns: list[str]) -> None:
    check_parameters(complete, PARAMETERS, task, columns)


@pytest.mark.parametrize("objective", ["count:poisson", "reg:tweedie", "reg:absoluteerror"])
def test_other_objectives(objective: str) -> None:
    known = table(800, 3)[["width", "place"]]
    estimator = complete({"n_estimators": 10, "objective": objective}, TASKS["regression"])
    check_scores(estimator, "regression", known, abs(labels(table(800, 3), "regression")), known, 1e-5)


def test_trees_after_the_best_iteration_are_left_out() -> None:
    known = table(900, 5)[["width"]]
    truth = labels(table(900, 5), "regression")
    estimator = complete({"n_estimators": 300, "early_stopping_rounds": 3, "learning_rate": 0.5}, TASKS["regression"])
    pipeline = as_pipeline(estimator)
    pipeline.fit(known[:600], truth[:600], model__eval_set=[(known[600:], truth[600:])])
    assert len(read_trees(estimator).trees) == estimator.best_iteration + 1 < 300


@pytest.mark.parametrize(
    "parameters", [{"booster": "gblinear"}, {"objective": "rank:pairwise"}, {"booster": "dart", "rate_drop": 0.5}]
)
def test_what_has_no_conversion_is_refused(parameters: dict[str, object]) -> None:
    known = pd.DataFrame({"x": range(50)}, dtype="float32")
    estimator = complete({"n_estimators": 3, **parameters}, TASKS["regression"])
    if "objective" in parameters:
        estimator.set_params(objective="reg:squarederror").fit(known, known["x"])
        estimator.get_booster().set_param({"objective": parameters["objective"]})
    else:
        estimator.fit(known, known["x"])
    with pytest.raises(UserCodeError, match=r"XGBoost's (booster|objective) .* cannot be converted to ONNX"):
        read_trees(estimator)
