"""The design matrix says in ONNX what it says in scikit-learn: missing, skewed, very large numbers, texts never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from components._core.types.tasks import TASKS
from components._frameworks.sklearn.design_matrix import MOST_DEVIATIONS, DesignMatrix
from components._frameworks.sklearn.scores import score
from components._frameworks.sklearn.structure import measure_structure
from tests.components.frameworks.sklearn.test_boosted_conversion import labels, table
from tests.components.frameworks.sklearn.test_onnx_conversion import CLASSES, arrays, exported


def skewed(rows: int, seed: int, new: tuple[str, ...] = ()) -> pd.DataFrame:
    random = np.random.default_rng(seed + 100)
    return table(rows, seed, new).assign(income=random.lognormal(8, 2, rows).astype(np.float32))


@pytest.mark.parametrize(
    ("task", "last"),
    [
        ("multiclass_classification", LogisticRegression(max_iter=200)),
        ("binary_classification", ExtraTreesClassifier(20, max_leaf_nodes=50, random_state=0)),
        ("regression", Ridge()),
    ],
)
def test_every_row_has_the_estimators_score(task: str, last: Any) -> None:
    known, others = skewed(1_500, 1), skewed(700, 2, ("nowhere", "elsewhere"))
    others.loc[0, "income"] = 3e9
    scaled = not isinstance(last, ExtraTreesClassifier)
    pipeline = Pipeline([("columns", DesignMatrix(scaled=scaled)), ("model", last)]).fit(known, labels(known, task))
    model, _ = exported(pipeline, known, task)
    found = model.predict(arrays(others))[TASKS[task].score]
    expected = score(pipeline, TASKS[task], len(CLASSES[task]), others)
    assert np.abs(found - expected).max() < 1e-5 * max(1.0, float(np.abs(expected).max()))


def test_numbers_are_standardised_and_a_long_tail_is_brought_in() -> None:
    matrix = DesignMatrix().fit(skewed(2_000, 1))
    assert matrix.numbers_["income"].has_long_tail and not matrix.numbers_["month"].has_long_tail
    made = np.asarray(matrix.transform(skewed(2_000, 1)))
    numbers = made[:, : len(matrix.numbers_)]
    np.testing.assert_allclose(numbers.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(numbers.std(axis=0), 1.0, atol=0.05)
    far = skewed(1, 3).assign(month=10**9, income=np.float32(1e30))
    assert np.asarray(matrix.transform(far))[0, : len(matrix.numbers_)].max() == MOST_DEVIATIONS


def test_a_column_with_missing_values_says_where_they_are_and_owns_what_is_made_of_it() -> None:
    known = skewed(500, 1)
    matrix = DesignMatrix().fit(known)
    made = np.asarray(matrix.transform(known))
    flag = made[:, matrix.owners_.index("width", matrix.owners_.index("width") + 1)]
    np.testing.assert_array_equal(flag, known["width"].isna())
    assert made.shape[1] == len(matrix.owners_)
    pipeline = Pipeline([("columns", matrix), ("model", Ridge())]).fit(known, labels(known, "regression"))
    structure = measure_structure(pipeline, known, raw=True)
    assert structure is not None and set(structure.values) == set(known)


def test_columns_without_a_value_or_with_one_are_no_obstacle() -> None:
    empty = pd.DataFrame({"gap": np.full(10, np.nan, np.float32), "same": np.ones(10, np.float32), "text": [""] * 10})
    made = np.asarray(DesignMatrix().fit(empty).transform(empty))
    assert np.isfinite(made).all()
