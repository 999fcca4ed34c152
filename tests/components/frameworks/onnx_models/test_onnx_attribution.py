"""What the last step of an ONNX model says of one row, against scikit-learn's own trees and coefficients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from components._core.types.tasks import TASKS
from components._frameworks.contract import StructureAttribution
from components._frameworks.onnx_models.onnx_model import OnnxModel
from components._frameworks.sklearn.boosted_trees import BoostedTrees, read_trees
from components._frameworks.sklearn.native_columns import NativeColumns
from tests.components.frameworks.sklearn.test_onnx_conversion import (
    arrays,
    exported,
    labels,
    prepared,
    rows,
    signature_of,
)

TABLE = rows()
ROW, BACKGROUND = TABLE.iloc[[5]], TABLE.iloc[20:60]


def attributed(
    pipeline: Pipeline, task: str, folder: Path, class_index: int | None = None
) -> StructureAttribution | None:
    file = folder / "model.onnx"
    file.write_bytes(exported(pipeline, TABLE, task)[1])
    model = OnnxModel(signature_of(TABLE, task), file.read_bytes(), file=file)
    return model.attribute_by_structure(arrays(ROW), arrays(BACKGROUND), class_index)


def fitted(pipeline: Pipeline, task: str) -> Pipeline:
    return pipeline.fit(TABLE, labels(TABLE, task))


def owners_of(pipeline: Pipeline) -> list[str]:
    names = pipeline[:-1].get_feature_names_out()
    return [next(name for name in TABLE if name in made.split("__")[1].split("_")) for made in names]


@pytest.mark.parametrize("last", [LinearRegression(), Ridge()])
def test_of_a_linear_model_each_part_is_the_coefficient_times_the_distance(last: Any, tmp_path: Path) -> None:
    pipeline = fitted(prepared(last), "regression")
    found = attributed(pipeline, "regression", tmp_path)
    assert found is not None and found.method == "coefficients x values"
    made = pipeline[:-1].transform(ROW)[0] - pipeline[:-1].transform(BACKGROUND).mean(axis=0)
    expected = dict.fromkeys(TABLE, 0.0)
    for owner, part in zip(owners_of(pipeline), made * pipeline[-1].coef_, strict=True):
        expected[owner] += part
    assert found.values == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert found.score == pytest.approx(pipeline.predict(ROW)[0], rel=1e-4)
    assert found.base == pytest.approx(pipeline.predict(BACKGROUND).mean(), rel=1e-4)


@pytest.mark.parametrize("class_index", [None, 0, 2])
def test_of_a_linear_classifier_the_parts_make_the_way_of_the_decision(class_index: int | None, tmp_path: Path) -> None:
    task = "binary_classification" if class_index is None else "multiclass_classification"
    pipeline = fitted(prepared(LogisticRegression()), task)
    found = attributed(pipeline, task, tmp_path, class_index)
    assert found is not None
    decisions = [pipeline.decision_function(table) for table in (ROW, BACKGROUND)]
    own, others = (each if class_index is None else each[:, class_index] for each in decisions)
    assert found.score == pytest.approx(own[0], rel=1e-3)
    assert sum(found.values.values()) == pytest.approx(own[0] - others.mean(), rel=1e-3)


def walk(trees: BoostedTrees, row: Any, background: Any) -> np.ndarray[Any, Any]:
    """The same sum by recursion, a tree and a set of rows at a time; [columns]."""
    parts = np.zeros(trees.columns)

    def goes_left(node: Any, values: Any) -> bool:
        value = values[node.column]
        if node.categories is not None:
            return bool(node.missing_left) if np.isnan(value) else value in node.categories
        return bool(node.missing_left) if np.isnan(value) else bool(value <= node.threshold)

    def leaf(tree: Any, at: int, values: Any) -> float:
        node = tree.nodes[at]
        return node.value if node.is_leaf else leaf(tree, node.left if goes_left(node, values) else node.right, values)

    def follow(tree: Any, at: int, others: list[Any]) -> None:
        node = tree.nodes[at]
        if node.is_leaf:
            return
        left = goes_left(node, row)
        below = node.left if left else node.right
        staying = [each for each in others if goes_left(node, each) == left]
        before = np.mean([leaf(tree, at, each) for each in others]) if others else leaf(tree, at, row)
        after = np.mean([leaf(tree, below, each) for each in staying]) if staying else leaf(tree, below, row)
        parts[node.column] += after - before
        follow(tree, below, staying)

    for tree in trees.trees:
        follow(tree, 0, list(background))
    return parts


def test_paths_of_boosted_trees_with_categories_and_missing_values_are_those_of_the_estimator(tmp_path: Path) -> None:
    task = "binary_classification"
    model = HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5, categorical_features="from_dtype")
    pipeline = fitted(Pipeline([("columns", NativeColumns()), ("model", model)]), task)
    found = attributed(pipeline, task, tmp_path)
    assert found is not None and found.method == "paths of the trees"
    own, others = (_matrix(pipeline, table) for table in (ROW, BACKGROUND))
    expected = walk(read_trees(pipeline[-1]), own[0], others)
    assert list(found.values.values()) == pytest.approx(expected.tolist(), abs=1e-4)
    decisions = pipeline.decision_function(ROW)[0], pipeline.decision_function(BACKGROUND).mean()
    assert (found.score, found.base) == pytest.approx(decisions, abs=1e-4)


def _matrix(pipeline: Pipeline, table: Any) -> np.ndarray[Any, Any]:
    made = pipeline[:-1].transform(table)
    codes = {
        name: made[name].cat.codes.replace(-1, np.nan) if made[name].dtype == "category" else made[name]
        for name in made
    }
    return np.column_stack([np.asarray(codes[name], np.float64) for name in made])


@pytest.mark.parametrize(
    ("last", "task", "class_index"),
    [
        (RandomForestRegressor(7, random_state=0), "regression", None),
        (RandomForestClassifier(7, random_state=0), "binary_classification", None),
        (RandomForestClassifier(7, random_state=0), "multiclass_classification", 1),
        (GradientBoostingClassifier(n_estimators=7, random_state=0), "binary_classification", None),
    ],
)
def test_paths_of_a_forest_add_up_to_the_way_of_its_raw_score(
    last: Any, task: str, class_index: int | None, tmp_path: Path
) -> None:
    pipeline = fitted(prepared(last), task)
    found = attributed(pipeline, task, tmp_path, class_index)
    assert found is not None
    model, _ = exported(pipeline, TABLE, task)
    own, others = (_raw_score(model, table, class_index) for table in (ROW, BACKGROUND))
    if isinstance(last, GradientBoostingClassifier):  # its leaves add to the logarithm of the odds
        own, others = (np.log(each / (1 - each)) for each in (own, others))
    assert (found.score, found.base) == pytest.approx((own[0], others.mean()), abs=1e-4)
    assert sum(found.values.values()) == pytest.approx(own[0] - others.mean(), abs=1e-4)
    assert abs(found.values["width"]) + abs(found.values["month"]) > 2 * abs(found.values["island"])


def _raw_score(model: OnnxModel, table: Any, class_index: int | None) -> np.ndarray[Any, Any]:
    scores = model.predict(arrays(table))[TASKS[model.signature.task].score].astype(np.float64)
    return scores if class_index is None else scores[:, class_index]


def test_a_split_that_no_background_row_reaches_gets_the_rest_of_the_way(tmp_path: Path) -> None:
    pipeline = fitted(prepared(RandomForestRegressor(20, random_state=0)), "regression")
    file = tmp_path / "model.onnx"
    file.write_bytes(exported(pipeline, TABLE, "regression")[1])
    model = OnnxModel(signature_of(TABLE, "regression"), file.read_bytes(), file=file)
    one = TABLE.iloc[[80]]
    found = model.attribute_by_structure(arrays(ROW), arrays(one), None)
    assert found is not None
    assert sum(found.values.values()) == pytest.approx(pipeline.predict(ROW)[0] - pipeline.predict(one)[0], abs=1e-4)


@pytest.mark.parametrize(
    "pipeline",
    [
        prepared(KNeighborsClassifier()),
        prepared(
            VotingClassifier(
                [("a", LogisticRegression()), ("b", RandomForestClassifier(3))], voting="soft", flatten_transform=False
            )
        ),
        Pipeline(
            [
                (
                    "columns",
                    ColumnTransformer(
                        [("n", make_pipeline(StandardScaler(), PolynomialFeatures()), ["month", "width"])]
                    ),
                ),
                ("last", LogisticRegression()),
            ]
        ),
    ],
    ids=["neighbours", "two models", "products of columns"],
)
def test_a_structure_that_does_not_say_gives_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    assert attributed(fitted(pipeline, "binary_classification"), "binary_classification", tmp_path) is None


def test_a_model_that_is_not_in_a_file_says_nothing() -> None:
    model, _ = exported(fitted(prepared(LogisticRegression()), "binary_classification"), TABLE, "binary_classification")
    assert model.attribute_by_structure(arrays(ROW), arrays(BACKGROUND), None) is None
    assert model.transform(arrays(ROW)) is None
