"""The project's build_model: it is given the hyperparameters, and returns a pipeline that takes the raw columns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from components._core.errors import UserCodeError
from components._core.project.config_types import Hyperparameter
from components._core.stage.user_code import own_frames
from components._core.types.tasks.contract import Task
from components._frameworks.contract import ModelCode
from components._frameworks.sklearn.onnx_conversion import refuse_unconvertible

RANDOM_STATE = "random_state"


def build(
    function: Callable[..., Any],
    code: ModelCode,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    task: Task,
    seed: int,
) -> Pipeline:
    """Call build_model, check what it returns, and seed it.

    Args:
        function: The project's build_model.
        code: Where it comes from, for messages.
        hyperparameters: The values for this model.
        task: The project's task.
        seed: Value of each `random_state` that build_model leaves at None, and seed of NumPy's and Python's global generators.

    Raises:
        UserCodeError: When build_model raises, returns something other than a pipeline for the task, or a step has no converter to ONNX.
    """
    random.seed(seed)
    np.random.seed(seed)
    with own_frames(code.folder, "build_model"):
        model = function(dict(hyperparameters))
    _check_kind(model, code.file)
    _check_task(model, task, code.file)
    refuse_unconvertible(model, code.file)
    unset = [name for name, value in model.get_params().items() if value is None and _is_random_state(name)]
    model.set_params(**dict.fromkeys(unset, seed))
    return model


def _is_random_state(parameter: str) -> bool:
    return parameter.rpartition("__")[2] == RANDOM_STATE


def _check_kind(model: Any, file: str) -> None:
    if isinstance(model, Pipeline):
        return
    found = "nothing" if model is None else f"a {type(model).__name__}"
    remedy = "return a sklearn.pipeline.Pipeline: the preparation of the columns, and last a classifier or a regressor"
    raise UserCodeError(f"build_model returned {found}", where=file, remedy=remedy)


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
