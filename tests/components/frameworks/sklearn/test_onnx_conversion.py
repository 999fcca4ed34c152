"""A converted pipeline gives the pipeline's answers under the task's names, whatever the columns are called, in equal bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

from components._core.errors import ModelError, UserCodeError
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.onnx_models.onnx_model import OnnxModel
from components._frameworks.sklearn.average import AverageClassifier, AverageRegressor
from components._frameworks.sklearn.onnx_conversion import convert
from components._frameworks.sklearn.parity import check_parity
from components._frameworks.sklearn.scores import score

DTYPES = {"O": "string", "f": "float32", "i": "int64"}
CLASSES = {"binary_classification": ("no", "yes"), "multiclass_classification": ("a", "b", "c"), "regression": ()}


def rows(count: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "month": random.integers(1, 13, count),
            "width": random.normal(40, 5, count).astype(np.float32),
            "island": random.choice(["Biscoe", "Dream", ""], count).astype(object),
            "height": np.where(random.random(count) < 0.1, np.nan, random.normal(17, 2, count)).astype(np.float32),
        }
    )


def labels(table: pd.DataFrame, task: str) -> np.ndarray[Any, Any]:
    value = table["width"] + table["month"] - 46.5
    if task == "regression":
        return value.to_numpy()
    return np.digitize(value, [0] if task == "binary_classification" else [-2, 2])


def signature_of(table: pd.DataFrame, task: str) -> Signature:
    features = tuple(Feature(str(name), DTYPES[table[name].dtype.kind], True) for name in table)
    return Signature(task, features, TASKS[task].output_types, CLASSES[task], "sklearn")


def prepared(last: Any) -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    parts = [("n", numbers, ["month", "width", "height"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["island"])]
    return Pipeline([("columns", ColumnTransformer(parts)), ("last", last)])


def exported(pipeline: Pipeline, table: pd.DataFrame, task: str) -> tuple[OnnxModel, bytes]:
    content = convert(pipeline, signature_of(table, task), table).SerializeToString(deterministic=True)
    return OnnxModel(signature_of(table, task), content), content


def arrays(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): table[name].to_numpy() for name in table}


@pytest.mark.parametrize("task", CLASSES)
def test_the_outputs_are_those_of_the_task(task: str) -> None:
    table = rows()
    pipeline = prepared(Ridge() if task == "regression" else LogisticRegression()).fit(table, labels(table, task))
    model, _ = exported(pipeline, table, task)
    answers = model.predict(arrays(table))
    expected = score(pipeline, TASKS[task], len(CLASSES[task]), table)
    assert answers[TASKS[task].score] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert answers[TASKS[task].score].dtype == np.float32
    if "class" in answers:
        assert answers["class"].tolist() == [CLASSES[task][index] for index in expected.argmax(axis=1)]


@pytest.mark.parametrize(
    "last", [LogisticRegression(), KNeighborsClassifier(), RandomForestClassifier(5, random_state=1)]
)
def test_equal_pipelines_give_equal_bytes(last: Any) -> None:
    """Converters make names of random numbers, as the one of the neighbours does for the body of its loop."""
    table = rows()
    pipeline = prepared(last).fit(table, labels(table, "binary_classification"))
    assert len({exported(pipeline, table, "binary_classification")[1] for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "names", [("label", "probability", "class"), ("v1", "a/b", "Länge in mm"), ("variable", "n0", "graph")]
)
def test_columns_may_have_any_name(names: tuple[str, ...]) -> None:
    table = rows()[["month", "width", "height"]].fillna(0).set_axis(list(names), axis=1)
    truth = (table.iloc[:, 1] > 40).to_numpy().astype(int)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, truth)
    model, _ = exported(pipeline, table, "binary_classification")
    found = model.predict(arrays(table))["probability"]
    assert found == pytest.approx(pipeline.predict_proba(table)[:, 1], abs=1e-5)


def test_a_pipeline_without_a_column_transformer_takes_missing_numbers() -> None:
    table = rows()[["month", "width", "height"]]
    pipeline = make_pipeline(HistGradientBoostingClassifier(max_iter=5)).fit(
        table, labels(table, "binary_classification")
    )
    model, _ = exported(pipeline, table, "binary_classification")
    assert model.predict(arrays(table))["probability"] == pytest.approx(pipeline.predict_proba(table)[:, 1], abs=1e-5)


def test_a_class_without_a_training_row_has_probability_0() -> None:
    table = rows()
    pipeline = prepared(LogisticRegression()).fit(
        table, 2 * labels(table, "binary_classification")
    )  # 0 and 2 of 0, 1, 2
    model, _ = exported(pipeline, table, "multiclass_classification")
    answers = model.predict(arrays(table))
    assert (answers["probabilities"][:, 1] == 0).all() and set(answers["class"]) == {"a", "c"}
    assert answers["probabilities"][:, [0, 2]] == pytest.approx(pipeline.predict_proba(table), abs=1e-5)


def test_whole_numbers_that_float32_would_round_stay_exact() -> None:
    table = pd.DataFrame({"id": 20_130_500_000 + np.arange(60) % 3})
    truth = (table["id"] % 2).to_numpy()
    encode = ColumnTransformer([("ids", OneHotEncoder(handle_unknown="ignore"), ["id"])])
    pipeline = Pipeline([("encode", encode), ("last", LogisticRegression())]).fit(table, truth)
    model, _ = exported(pipeline, table, "binary_classification")
    assert model.predict(arrays(table))["probability"] == pytest.approx(pipeline.predict_proba(table)[:, 1], abs=1e-5)


def test_a_step_that_cannot_be_converted_with_its_parameters_is_named() -> None:
    table = rows()[["width"]]
    discrete = ColumnTransformer([("width", KBinsDiscretizer(3, encode="onehot"), ["width"])])
    pipeline = Pipeline([("bins", discrete), ("last", LogisticRegression())]).fit(
        table, labels(rows(), "binary_classification")
    )
    with pytest.raises(UserCodeError, match=r"cannot be converted to ONNX: .*onehot"):
        exported(pipeline, table, "binary_classification")


def test_a_step_that_is_converted_wrongly_is_found_by_comparing() -> None:
    """skl2onnx ignores `add_indicator`: the columns that it adds would be those of other weights."""
    table = rows()[["width", "height"]]
    last = RandomForestClassifier(10, random_state=0)
    truth = table["height"].isna().to_numpy().astype(int)
    pipeline = make_pipeline(SimpleImputer(add_indicator=True), last).fit(table, truth)
    with pytest.raises((ModelError, UserCodeError), match=r"ONNX|failed"):
        compare(pipeline, table)


def compare(pipeline: Pipeline, table: pd.DataFrame) -> None:
    task = TASKS["binary_classification"]
    model, _ = exported(pipeline, table, task.name)
    scores = model.predict(arrays(table))["probability"]
    check_parity(task, lambda some: score(pipeline, task, 2, some), table, scores, "RandomForestClassifier")


@pytest.mark.parametrize("task", CLASSES)
@pytest.mark.parametrize("weights", [(1.0, 3.0), (2.0, 2.0)])
def test_the_average_of_pipelines_is_that_of_their_scores_with_their_weights(
    task: str, weights: tuple[float, float]
) -> None:
    table, kind = rows(), AverageRegressor if task == "regression" else AverageClassifier
    lasts = (Ridge(), Ridge(1e4)) if task == "regression" else (LogisticRegression(), LogisticRegression(C=0.01))
    pipeline = Pipeline([("model", kind(tuple(map(prepared, lasts)), weights))]).fit(table, labels(table, task))
    each = [
        score(prepared(last).fit(table, labels(table, task)), TASKS[task], len(CLASSES[task]), table) for last in lasts
    ]
    expected = np.average(each, axis=0, weights=weights)
    assert not np.allclose(*each, atol=0.01)
    assert score(pipeline, TASKS[task], len(CLASSES[task]), table) == pytest.approx(expected)
    model, _ = exported(pipeline, table, task)
    assert model.predict(arrays(table))[TASKS[task].score] == pytest.approx(expected, rel=1e-4, abs=1e-5)
