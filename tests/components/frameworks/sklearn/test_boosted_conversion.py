"""Boosted trees over raw columns give the same answers as ONNX: missing values, categories, ones never seen, large whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from components._core.types.tasks import TASKS
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
