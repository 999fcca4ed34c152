"""PyTorch modules, served as ONNX.

Importing this module imports neither PyTorch nor ONNX, and each method imports what it needs: `register` checks files in an image
without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import Arrays, Framework, Model, ModelCode, TrainableModel, TrainingData
from components._frameworks.onnx_models.variant_kinds import ONNX_VARIANTS

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._core.types.tasks.contract import Task


class TorchFramework(Framework):
    """PyTorch, with its TorchScript exporter and onnxruntime to call what that writes."""

    name = "torch"
    preprocessing: Literal["either", "in front"] = "either"
    model_files = (ONNX_MODEL,)
    packages = ("torch", "onnx", "onnxruntime")
    serving_packages = ("onnxruntime",)
    imports = ("components._frameworks.torch.trainable_model",)
    extra = "torch"
    training_image = "naru-stages-torch"
    variants = ONNX_VARIANTS

    def version(self) -> str:
        import torch

        return str(torch.__version__)

    def make_repeatable(self) -> None:
        from components._frameworks.torch.repeatable import be_repeatable

        be_repeatable()

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
        from components._frameworks.torch.build_model import build
        from components._frameworks.torch.trainable_model import TorchModel

        transform = _read_transform(data) if data.is_prepared else None
        built = build(code.load(), code, data, transform, hyperparameters, task=task, classes=classes, seed=seed)
        return TorchModel(built, code, data, task, classes)

    def make_variant(self, name: str, model: Path, folder: Path, rows: Arrays) -> None:
        from components._frameworks.onnx_models.onnx_variants import make_variant

        make_variant(name, model, folder, rows)

    def check_files(self, model: Path) -> None:
        from components._frameworks.onnx_models.artifact import check_artifact

        check_artifact(model)

    def open(self, signature: Signature, model: Path) -> Model:
        from components._frameworks.onnx_models.onnx_model import open_model

        return open_model(signature, model)


def _read_transform(data: TrainingData) -> Any:
    """Return TensorFlow Transform's description of the graph; TensorFlow is imported only where there is one."""
    from components._frameworks.saved_models.transform_output import read_transform_output

    return read_transform_output(data.transform_graph)


FRAMEWORK = TorchFramework()
