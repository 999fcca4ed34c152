"""What the project's build_model may return for LightGBM, made ready to be fitted; importing this registers the reader of its trees."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier, LGBMModel, LGBMRegressor

from components._core.types.tasks.contract import Task
from components._frameworks.lightgbm.lightgbm_trees import read_lightgbm
from components._frameworks.sklearn.boosted_conversion import register_boosted
from components._frameworks.sklearn.build_model import make_estimator

_REPEATABLE = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
"""Equal sums whatever runs beside it, and no advice on each fit. What a person sets stays."""

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
