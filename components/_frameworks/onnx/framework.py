"""A model that was trained elsewhere, in an ONNX file of the project; nothing is fitted.

Importing this module imports no library of ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import (
    Arrays,
    Framework,
    ImportPlan,
    Model,
    ModelCode,
    TrainableModel,
    TrainingData,
)
from components._frameworks.onnx_models.variant_kinds import ONNX_VARIANTS

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._core.types.tasks.contract import Task
    from components._frameworks.transformed_rows import Column


class OnnxFramework(Framework):
    """A finished ONNX model, checked and wrapped so that it takes the project's columns."""

    name = "onnx"
    preprocessing: Literal["either", "in front"] = "either"
    model_files = (ONNX_MODEL,)
    has_epochs = False
    has_fit = False
    packages: tuple[str, ...] = ("onnx", "onnxruntime")
    serving_packages = ("onnxruntime",)
    imports: tuple[str, ...] = ("components._frameworks.onnx.imported_model",)
    extra = "onnx"
    variants = ONNX_VARIANTS

    def version(self) -> str:
        import onnx
        import onnxruntime

        return f"{onnx.__version__} {onnxruntime.__version__}"

    def make_repeatable(self) -> None:
        """Nothing to do: operators that draw random numbers are refused."""

    def build(
        self,
        code: ModelCode,
        data: TrainingData,
        hyperparameters: Mapping[str, Hyperparameter],
        *,
        task: Task,
        classes: list[str],
        seed: int,
    ) -> TrainableModel:
        from components._frameworks.onnx.imported_model import build

        return build(code, data, task=task, classes=classes)

    def plan_import(
        self, code: ModelCode, columns: Sequence[Column], *, task: Task, classes: Sequence[str]
    ) -> ImportPlan:
        from components._frameworks.onnx.import_plan import plan_import

        return plan_import(code, columns, task=task, classes=classes)

    def make_variant(self, name: str, model: Path, folder: Path, rows: Arrays) -> None:
        from components._frameworks.onnx_models.onnx_variants import make_variant

        make_variant(name, model, folder, rows)

    def check_files(self, model: Path) -> None:
        from components._frameworks.onnx_models.artifact import check_artifact

        check_artifact(model)

    def open(self, signature: Signature, model: Path) -> Model:
        from components._frameworks.onnx_models.onnx_model import open_model

        return open_model(signature, model)


FRAMEWORK = OnnxFramework()
