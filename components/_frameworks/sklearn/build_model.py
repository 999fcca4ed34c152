"""The project's build_model: it is given the hyperparameters, and returns a pipeline or an estimator that takes the columns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from components._core.errors import UserCodeError
from components._core.project.config_types import Hyperparameter
from components._core.stage.user_code import own_frames
from components._core.types.tasks.contract import Task
from components._frameworks.contract import ModelCode
from components._frameworks.sklearn.boosted_trees import is_boosted
from components._frameworks.sklearn.native_columns import NativeColumns
from components._frameworks.sklearn.onnx_conversion import refuse_unconvertible

RANDOM_STATE = "random_state"
Complete = Callable[[Any], Any]


def build(
    function: Callable[..., Any],
    code: ModelCode,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    task: Task,
    seed: int,
    prepared: bool = False,
    complete: Complete | None = None,
) -> Pipeline:
    """Call build_model, check what it returns, and seed it.

    An estimator becomes the last step of a pipeline. Boosted trees that take the columns themselves get texts as categories.

    Args:
        function: The project's build_model.
        code: Where it comes from, for messages.
        hyperparameters: The values for this model.
        task: The project's task.
        seed: Value of each `random_state` that build_model leaves at None, and seed of NumPy's and Python's global generators.
        prepared: Whether a preprocessing_fn prepares the columns.
        complete: Makes an estimator of what build_model returned, where a framework allows more than those.

    Raises:
        UserCodeError: When build_model raises, returns something other than a pipeline for the task, or a step has no converter to ONNX.
    """
    random.seed(seed)
    np.random.seed(seed)
    with own_frames(code.folder, "build_model"):
        model = function(dict(hyperparameters))
        model = complete(model) if complete else model
    _check_kind(model, code.file)
    model = as_pipeline(model, prepared=prepared)
    _check_task(model, task, code.file)
    refuse_unconvertible(model, code.file)
    unset = [name for name, value in model.get_params().items() if value is None and _is_random_state(name)]
    model.set_params(**dict.fromkeys(unset, seed))
    return model


def _is_random_state(parameter: str) -> bool:
    return parameter.rpartition("__")[2] == RANDOM_STATE


def _check_kind(model: Any, file: str) -> None:
    if isinstance(model, BaseEstimator):
        return
    found = "nothing" if model is None else f"a {type(model).__name__}"
    remedy = (
        "return a classifier or a regressor, or a sklearn.pipeline.Pipeline that prepares the columns and ends in one"
    )
    raise UserCodeError(f"build_model returned {found}", where=file, remedy=remedy)


def make_estimator(returned: Any, task: Task, classifier: type, regressor: type) -> tuple[Any, Any]:
    """Make an estimator of parameters, for a library whose build_model may return them; returns it and its last step.

    Args:
        returned: Parameters by name, an estimator, a pipeline, or something else, which is returned as it is.
        task: The project's task.
        classifier: The library's class for tasks with classes.
        regressor: The one for the others.
    """
    if isinstance(returned, dict):
        returned = (classifier if task.has_classes else regressor)(**returned)
    return returned, returned.steps[-1][1] if isinstance(returned, Pipeline) else returned


def as_pipeline(model: BaseEstimator, *, prepared: bool = False) -> Pipeline:
    """Return an estimator as a pipeline; boosted trees alone get the columns in front that they take as they are.

    Args:
        model: An estimator or a pipeline.
        prepared: Whether a preprocessing_fn prepares the columns, so that whole numbers are indices of categories.
    """
    steps = model.steps if isinstance(model, Pipeline) else [("model", model)]
    if len(steps) == 1 and is_boosted(steps[0][1]):
        return Pipeline([("columns", NativeColumns(whole=prepared)), *steps])
    return model if isinstance(model, Pipeline) else Pipeline(steps)


def _check_task(model: Pipeline, task: Task, file: str) -> None:
    last = type(model.steps[-1][1]).__name__
    if not task.has_classes:
        if not is_regressor(model):
            remedy = "let a regressor be the last step, as in Ridge() or HistGradientBoostingRegressor()"
            raise UserCodeError(
                f"the pipeline of build_model ends in {last}, which is not a regressor", where=file, remedy=remedy
            )
        return
    if not is_classifier(model):
        remedy = "let a classifier be the last step, as in LogisticRegression() or HistGradientBoostingClassifier()"
        raise UserCodeError(
            f"the pipeline of build_model ends in {last}, which is not a classifier", where=file, remedy=remedy
        )
    if not hasattr(model, "predict_proba"):
        remedy = "use one that has, or wrap it in CalibratedClassifierCV"
        raise UserCodeError(
            f"{last}, the last step of build_model's pipeline, has no predict_proba", where=file, remedy=remedy
        )
