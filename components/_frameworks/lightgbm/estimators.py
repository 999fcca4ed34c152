"""What the project's build_model may return for LightGBM, made ready to be fitted; importing this registers the reader of its trees."""

from __future__ import annotations

import inspect
from typing import Any

from lightgbm import LGBMClassifier, LGBMModel, LGBMRegressor

from components._core.types.tasks.contract import Task
from components._frameworks.lightgbm.lightgbm_trees import read_lightgbm
from components._frameworks.sklearn.boosted_conversion import register_boosted
from components._frameworks.sklearn.build_model import make_estimator
from components._frameworks.sklearn.early_stopping import EarlyStopping, Rows, register_stopping

_REPEATABLE = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
"""Equal sums whatever runs beside it, and no advice on each fit. What a person sets stays."""

_STOPPING_NAMES = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")


def _wants_stopping(estimator: Any) -> bool:
    own = estimator.get_params()
    return any((own.get(name) or 0) > 0 for name in _STOPPING_NAMES)


def _fit(estimator: Any, train: Rows, judged: Rows) -> None:
    # fits run side by side in threads, where a warning of the older argument could not be caught
    if "eval_X" in inspect.signature(estimator.fit).parameters:
        given = {"eval_X": judged.columns, "eval_y": judged.labels}
    else:  # 4.6
        given = {"eval_set": [(judged.columns, judged.labels)]}
    estimator.fit(
        train.columns,
        train.labels,
        sample_weight=train.weights,
        eval_sample_weight=None if judged.weights is None else [judged.weights],
        **given,
    )


_STOPPING = EarlyStopping(
    "n_estimators",
    _wants_stopping,
    _fit,
    lambda estimator: int(estimator.best_iteration_ or estimator.n_estimators),
)
for _kind in (LGBMClassifier, LGBMRegressor):
    register_stopping(_kind, _STOPPING)
register_boosted(LGBMClassifier, read_lightgbm, classifier=True)
register_boosted(LGBMRegressor, read_lightgbm, classifier=False)


def complete(returned: Any, task: Task) -> Any:
    """Make an estimator of parameters, and its fits repeatable.

    Args:
        returned: Parameters by name, an estimator, a pipeline, or something else, which is returned as it is.
        task: The project's task.
    """
    returned, last = make_estimator(returned, task, LGBMClassifier, LGBMRegressor)
    if isinstance(last, LGBMModel):
        own = last.get_params()
        last.set_params(**{name: value for name, value in _REPEATABLE.items() if name not in own})
    return returned
