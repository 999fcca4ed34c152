"""What a pipeline's last step says of its inputs, summed by the columns that they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from components._frameworks.sklearn.native_columns import NativeColumns
from components._frameworks.sklearn.structure import measure_structure
from tests.components.frameworks.sklearn.test_onnx_conversion import rows

ROWS = rows()
TRUTH = (10 * ROWS["month"] + 30 * (ROWS["island"] == "Dream")).to_numpy()  # of width and height nothing
NUMBERS = make_pipeline(SimpleImputer(), StandardScaler())


def measured(*steps: Any) -> dict[str, float]:
    pipeline = Pipeline([(str(place), step) for place, step in enumerate(steps)]).fit(ROWS, TRUTH)
    found = measure_structure(pipeline, ROWS, raw=True)
    assert found is not None and found.raw
    return found.values


def columns(*more: Any) -> ColumnTransformer:
    return ColumnTransformer([("texts", OneHotEncoder(), ["island"]), ("numbers", NUMBERS, [0, 1, 3]), *more])


@pytest.mark.parametrize(
    "last", [LinearRegression(), RandomForestRegressor(10, random_state=0)], ids=["coefficients", "impurity"]
)
def test_one_hot_columns_count_for_the_text_that_they_are_made_of(last: Any) -> None:
    values = measured(columns(), last)
    assert list(values) == ["month", "width", "island", "height"]
    assert values["month"] > values["island"] > 10 * max(values["width"], values["height"])


def test_coefficients_are_weighed_by_the_spread_of_their_column() -> None:
    values = measured(columns(), LinearRegression())
    assert values["month"] == pytest.approx(10 * ROWS["month"].std(ddof=0), rel=1e-6)


def test_the_gain_of_boosted_trees_is_that_of_their_columns() -> None:
    values = measured(NativeColumns(), HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5))
    assert values["month"] > values["island"] > 10 * max(values["width"], values["height"])


@pytest.mark.parametrize(
    "steps",
    [
        (
            ColumnTransformer([("numbers", make_pipeline(SimpleImputer(), PCA(2)), ["month", "width"])]),
            LinearRegression(),
        ),
        (columns(), KNeighborsRegressor()),
    ],
    ids=["mixed columns", "no structure"],
)
def test_what_is_not_known_is_not_said(steps: tuple[Any, ...]) -> None:
    pipeline = Pipeline([(str(place), step) for place, step in enumerate(steps)]).fit(ROWS, TRUTH)
    assert measure_structure(pipeline, ROWS, raw=True) is None
