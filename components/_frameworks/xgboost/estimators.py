"""What the project's build_model may return for XGBoost, made ready to be fitted; importing this registers the reader of its trees."""

from __future__ import annotations

from typing import Any

from xgboost import XGBClassifier, XGBModel, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from components._core.types.tasks.contract import Task
from components._frameworks.sklearn.boosted_conversion import register_boosted
from components._frameworks.sklearn.build_model import make_estimator
from components._frameworks.sklearn.early_stopping import EarlyStopping, Rows, register_stopping
from components._frameworks.xgboost.xgboost_trees import read_xgboost


def _fit(estimator: Any, train: Rows, judged: Rows) -> None:
    estimator.fit(
        train.columns,
        train.labels,
        sample_weight=train.weights,
        eval_set=[(judged.columns, judged.labels)],
        sample_weight_eval_set=None if judged.weights is None else [judged.weights],
        verbose=False,
    )


_STOPPING = EarlyStopping(
    "n_estimators",
    lambda estimator: bool(estimator.early_stopping_rounds),
    _fit,
    lambda estimator: int(estimator.best_iteration) + 1,
)
for _kind in (XGBClassifier, XGBRegressor):
    register_stopping(_kind, _STOPPING)
for _kind in (XGBClassifier, XGBRFClassifier):
    register_boosted(_kind, read_xgboost, classifier=True)
for _kind in (XGBRegressor, XGBRFRegressor):
    register_boosted(_kind, read_xgboost, classifier=False)


def complete(returned: Any, task: Task) -> Any:
    """Make an estimator of parameters, and let one take categories.

    Args:
        returned: Parameters by name, an estimator, a pipeline, or something else, which is returned as it is.
        task: The project's task.
    """
    returned, last = make_estimator(returned, task, XGBClassifier, XGBRegressor)
    if isinstance(last, XGBModel):
        last.set_params(enable_categorical=True)
    return returned
