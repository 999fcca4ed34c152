"""LightGBM, served as ONNX.

Its estimators speak scikit-learn's interface, so all but the trees themselves is done as for scikit-learn. Importing this module imports
no library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components._core.types.tasks.contract import Task
from components._frameworks.sklearn.framework import SklearnFramework


class LightgbmFramework(SklearnFramework):
    """LightGBM beside scikit-learn."""

    name = "lightgbm"
    packages = ("lightgbm", *SklearnFramework.packages)
    imports = (*SklearnFramework.imports, "components._frameworks.lightgbm.estimators")
    extra = "lightgbm"

    def version(self) -> str:
        import lightgbm

        return f"{lightgbm.__version__} {super().version()}"

    def completion(self, task: Task) -> Callable[[Any], Any]:
        from components._frameworks.lightgbm.estimators import complete

        return lambda returned: complete(returned, task)


FRAMEWORK = LightgbmFramework()
