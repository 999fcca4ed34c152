"""What build_model returns is checked before anything is fitted: each mistake has a sentence of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.errors import UserCodeError
from components._core.types.tasks import TASKS
from components._frameworks.contract import ModelCode
from components._frameworks.sklearn.build_model import build

HEAD = """
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

def log(x):
    return x

def build_model(hyperparameters):
"""
MISTAKES = {
    "pass": "build_model returned nothing",
    "return 'LogisticRegression'": "build_model returned a str",
    "return Ridge()": "ends in Ridge, which is not a classifier",
    "return Pipeline([('last', Ridge())])": "ends in Ridge, which is not a classifier",
    "return Pipeline([('last', LinearSVC())])": "LinearSVC, the last step .* has no predict_proba",
    "return Pipeline([('log', FunctionTransformer(log)), ('last', LogisticRegression())])": "step 'log' .*FunctionTransformer.* Python function",
    "return 1 / 0": r"(?s)build_model failed: ZeroDivisionError.*model\.py, line \d+",
    "return LogisticRegression(C=hyperparameters['c'])": r"(?s)KeyError: 'c'.*model\.py, line \d+",
}
OWN_STEP = """
from sklearn.base import BaseEstimator, TransformerMixin

class Clip(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X
"""


def made_of(folder: Path, body: str, task: str = "multiclass_classification", before: str = ""):
    (folder / "model.py").write_text(f"{before}{HEAD}    {body}\n")
    from components._core.stage.user_code import load_function

    code = ModelCode(folder, "model.py")
    return build(load_function(folder, "model.py", "build_model"), code, {}, task=TASKS[task], seed=11)


@pytest.mark.parametrize("body", MISTAKES)
def test_a_mistake_is_explained(body: str, tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match=MISTAKES[body]) as refused:
        made_of(tmp_path, body)
    assert refused.value.remedy


def test_a_classifier_is_refused_for_a_regression(tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match="LogisticRegression, which is not a regressor"):
        made_of(tmp_path, "return Pipeline([('last', LogisticRegression())])", "regression")


def test_an_estimator_is_the_last_step_and_boosted_trees_take_the_columns_as_they_are(tmp_path: Path) -> None:
    alone = made_of(tmp_path, "return LogisticRegression()")
    assert [name for name, _ in alone.steps] == ["model"]
    boosted = made_of(tmp_path, "return HistGradientBoostingClassifier()")
    assert [type(step).__name__ for _, step in boosted.steps] == ["NativeColumns", "HistGradientBoostingClassifier"]
    assert boosted.get_params()["model__random_state"] == 11


def test_an_own_step_without_a_converter_is_named_by_its_path(tmp_path: Path) -> None:
    columns = "ColumnTransformer([('numbers', Pipeline([('scale', StandardScaler()), ('clip', Clip())]), ['x'])])"
    with pytest.raises(UserCodeError, match=r"step 'columns\.numbers\.clip' .*\(Clip\) has no converter to ONNX"):
        made_of(tmp_path, f"return Pipeline([('columns', {columns}), ('last', LogisticRegression())])", before=OWN_STEP)


def test_a_random_state_is_the_seed_unless_build_model_sets_it(tmp_path: Path) -> None:
    forest = "return Pipeline([('last', RandomForestClassifier({}))])"
    assert made_of(tmp_path, forest.format("")).get_params()["last__random_state"] == 11
    assert made_of(tmp_path, forest.format("random_state=3")).get_params()["last__random_state"] == 3
