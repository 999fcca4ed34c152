"""Boosted trees over raw columns give the same answers as ONNX: missing values, categories, ones never seen, large whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components._frameworks.sklearn.boosted_conversion import register_boosted
from components._frameworks.sklearn.boosted_trees import BoostedTrees, Node, Tree
from components._frameworks.sklearn.build_model import as_pipeline
from components._frameworks.sklearn.native_columns import MOST_CATEGORIES, NativeColumns
from components._frameworks.sklearn.scores import score
from tests.components.frameworks.sklearn.test_onnx_conversion import CLASSES, arrays, exported

ITERATIONS = {"max_iter": 15, "random_state": 0}


def table(rows: int, seed: int, new: tuple[str, ...] = ()) -> pd.DataFrame:
    """Numbers of one decimal, some missing; texts, some missing or not in other tables; whole numbers beyond float32."""
    random = np.random.default_rng(seed)
    places = ["", *(f"place {number}" for number in range(30)), *new]
    width = np.where(random.random(rows) < 0.2, np.nan, np.round(random.normal(40, 5, rows), 1))
    return pd.DataFrame(
        {
            "id": 20_130_500_000 + random.integers(0, 50, rows),
            "month": random.integers(1, 13, rows),
            "width": width.astype(np.float32),
            "place": random.choice(places, rows).astype(object),
        }
    )


def labels(rows: pd.DataFrame, task: str) -> np.ndarray[Any, Any]:
    value = rows["width"].fillna(60) + 3 * rows["place"].str.len() + 10 * (rows["place"] == "") + rows["id"] % 7
    bounds = {"binary_classification": [0.5], "multiclass_classification": [0.3, 0.6], "regression": []}[task]
    return np.digitize(value, np.quantile(value, bounds)) if bounds else value.to_numpy()


def boosted(task: str, **parameters: Any) -> Pipeline:
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return Pipeline([("columns", NativeColumns()), ("model", kind(**ITERATIONS, **parameters))])


def check_scores(
    estimator: Any, task: str, known: pd.DataFrame, truth: Any, others: pd.DataFrame, allowed: float = 1e-6
) -> None:
    """Hold every row of other rows to the estimator's own score, by a share of the largest."""
    pipeline = as_pipeline(estimator).fit(known, truth)
    model, _ = exported(pipeline, known, task)
    found = model.predict(arrays(others))[TASKS[task].score]
    expected = score(pipeline, TASKS[task], len(CLASSES[task]), others)
    assert np.abs(found - expected).max() < allowed * max(1.0, float(np.abs(expected).max()))
    assert len(np.unique(expected)) > 3, "the trees split"


TABLES = [
    ["width", "place"],
    *(pytest.param(each, marks=pytest.mark.slow) for each in (["id", "month", "width", "place"], ["place"], ["width"])),
]
"""Columns of the tables that the trees of other libraries are tried on."""


def check_parameters(
    complete: Callable[[Any, Task], Any], parameters: Iterable[dict[str, Any]], task: str, columns: list[str]
) -> None:
    """Hold every row to the own score of the estimator that a library makes of each set of parameters."""
    known, others = table(1_500, 1), table(700, 2, ("nowhere", "elsewhere"))
    for each in parameters:
        estimator = complete({"n_estimators": 15, **each}, TASKS[task])
        check_scores(estimator, task, known[columns], labels(known, task), others[columns])


@pytest.mark.parametrize("task", CLASSES)
@pytest.mark.parametrize(
    "columns", [["month", "width", "place"], ["id", "month", "width", "place"], ["place"], ["width"]]
)
def test_every_row_has_the_estimators_score(task: str, columns: list[str]) -> None:
    known, others = table(1_500, 1), table(700, 2, ("nowhere", "elsewhere"))
    check_scores(boosted(task), task, known[columns], labels(known, task), others[columns])


def test_counts_are_predicted_through_the_logarithm() -> None:
    known = table(800, 3)[["width", "place"]]
    pipeline = boosted("regression", loss="poisson").fit(known, np.arange(800) % 5)
    model, _ = exported(pipeline, known, "regression")
    assert model.predict(arrays(known))["prediction"] == pytest.approx(pipeline.predict(known), rel=1e-5)


def test_a_split_sends_its_categories_left_and_all_else_right_whatever_they_are() -> None:
    """Held to a look-up by hand: numbers in several blocks of 32, below zero, not whole, very large, missing, with either way of missing values."""
    random = np.random.default_rng(5)
    values = np.array([*range(-3, 110), 0.5, 31.5, 1e9, np.nan], np.float32)
    for missing_left in (False, True):
        for _ in range(40):
            chosen = tuple(float(value) for value in random.choice(values[:-1], random.integers(0, 40), replace=False))
            tree = Tree(0, (Node(0.0, 1, 2, 0, 0.0, missing_left, chosen), Node(1.0), Node(2.0)))
            expected = np.where(np.isin(values, chosen) | (np.isnan(values) & missing_left), 1.0, 2.0)
            assert (
                scores_of_trees(BoostedTrees((tree,), np.zeros(1), "identity", 1), values[:, None]).tolist()
                == expected.tolist()
            )


class _Read(BaseEstimator, RegressorMixin):
    """An estimator whose trees are given."""

    def __init__(self, trees: Any = None) -> None:
        self.trees = trees

    def fit(self, X: Any, y: Any = None) -> _Read:
        self.n_features_in_ = X.shape[1]
        return self


def scores_of_trees(trees: BoostedTrees, matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    register_boosted(_Read, lambda estimator: estimator.trees, classifier=False)
    taken = [("x", FloatTensorType([None, matrix.shape[1]]))]
    content = convert_sklearn(_Read(trees).fit(matrix), initial_types=taken, target_opset={"": 18, "ai.onnx.ml": 3})
    session = onnxruntime.InferenceSession(content.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": matrix})[0])[:, 0]


def test_rare_categories_of_many_are_missing_values() -> None:
    values = [f"v{number}" for number in range(400)] + ["often"] * 50 + [""] * 10
    columns = NativeColumns().fit(pd.DataFrame({"a": np.array(values, dtype=object)}))
    kept = ["often", *sorted(values[:400])][:MOST_CATEGORIES]
    asked = ["often", *values[:400], "", "?"]
    ranks = columns.transform(pd.DataFrame({"a": np.array(asked, dtype=object)}))["a"]
    assert ranks.cat.codes.tolist() == [kept.index(value) if value in kept else -1 for value in asked]


def test_a_column_without_a_single_text_is_converted() -> None:
    known = table(300, 4)[["width", "place"]].assign(place=np.array([""] * 300, dtype=object))
    pipeline = boosted("regression").fit(known, labels(table(300, 4), "regression"))
    model, _ = exported(pipeline, known, "regression")
    others = known.assign(place=np.array(["new"] * 300, dtype=object))
    assert model.predict(arrays(others))["prediction"] == pytest.approx(pipeline.predict(others), rel=1e-5)
