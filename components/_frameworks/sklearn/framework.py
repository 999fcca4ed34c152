"""scikit-learn estimators and pipelines, served as ONNX.

Importing this module imports neither scikit-learn nor ONNX, and each method imports what it needs: `register` checks files in an image
without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import Arrays, Framework, Model, ModelCode, TrainableModel, TrainingData
from components._frameworks.onnx_models.variant_kinds import ONNX_VARIANTS

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._core.types.tasks.contract import Task


class SklearnFramework(Framework):
    """scikit-learn, with skl2onnx to convert its pipelines and onnxruntime to call them."""

    name = "sklearn"
    preprocessing: Literal["either", "in front"] = "either"
    model_files = (ONNX_MODEL,)
    has_epochs = False
    packages: tuple[str, ...] = ("sklearn", "skl2onnx", "onnx", "onnxruntime")
    serving_packages = ("onnxruntime",)
    imports: tuple[str, ...] = ("components._frameworks.sklearn.trainable_model",)
    extra = "sklearn"
    variants = ONNX_VARIANTS

    def version(self) -> str:
        import sklearn

        return str(sklearn.__version__)

    def make_repeatable(self) -> None:
        """Nothing to do: `build` seeds what is random."""

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
        from components._frameworks.sklearn.build_model import build
        from components._frameworks.sklearn.trainable_model import SklearnModel

        pipeline = build(
            code.load(),
            code,
            hyperparameters,
            task=task,
            seed=seed,
            prepared=data.is_prepared,
            complete=self.completion(task),
        )
        return SklearnModel(pipeline, task, classes)

    def completion(self, task: Task) -> Callable[[Any], Any] | None:
        """Return what makes an estimator of the other things that build_model may return; None: nothing else is allowed."""
        return None

    def make_variant(self, name: str, model: Path, folder: Path, rows: Arrays) -> None:
        from components._frameworks.onnx_models.onnx_variants import make_variant

        make_variant(name, model, folder, rows)

    def check_files(self, model: Path) -> None:
        from components._frameworks.onnx_models.artifact import check_artifact

        check_artifact(model)

    def open(self, signature: Signature, model: Path) -> Model:
        from components._frameworks.onnx_models.onnx_model import open_model

        return open_model(signature, model)


FRAMEWORK = SklearnFramework()
