"""XGBoost, served as ONNX.

Its estimators speak scikit-learn's interface, so all but the trees themselves is done as for scikit-learn. Importing this module imports
no library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components._core.types.tasks.contract import Task
from components._frameworks.sklearn.framework import SklearnFramework


class XgboostFramework(SklearnFramework):
    """XGBoost beside scikit-learn."""

    name = "xgboost"
    packages = ("xgboost", *SklearnFramework.packages)
    imports = (*SklearnFramework.imports, "components._frameworks.xgboost.estimators")
    extra = "xgboost"

    def version(self) -> str:
        import xgboost

        return f"{xgboost.__version__} {super().version()}"

    def completion(self, task: Task) -> Callable[[Any], Any]:
        from components._frameworks.xgboost.estimators import complete

        return lambda returned: complete(returned, task)


FRAMEWORK = XgboostFramework()
