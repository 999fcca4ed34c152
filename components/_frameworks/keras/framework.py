"""Keras, served as a SavedModel with the transform graph in front.

Importing this module imports no TensorFlow, and each method imports what it needs: `register` checks files in an image without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import (
    Arrays,
    Framework,
    Model,
    ModelCode,
    TrainableModel,
    TrainingData,
    VariantKind,
)

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._core.types.tasks.contract import Task

_ONNX: dict[str, Any] = {"packages": ("onnx", "onnxruntime"), "extra": "onnx"}


class KerasFramework(Framework):
    """Keras 3 on TensorFlow."""

    name = "keras"
    preprocessing: Literal["either", "in front"] = "in front"
    serving_packages = ("tensorflow",)
    takes_pictures = True
    model_files = (f"{SAVED_MODEL}/saved_model.pb",)
    imports = (
        "tensorflow",
        "keras.layers",
        "components._frameworks.keras.trainable_model",
        "components._frameworks.keras.saved_model",
    )

    variants = (
        VariantKind("folded", "weights as constants in the graph, by TensorFlow"),
        VariantKind("xla", "arithmetic compiled by XLA"),
        VariantKind("onnx", "arithmetic as ONNX, called by onnxruntime", **_ONNX),
        VariantKind("float16", "as onnx, matrix products in float16", **_ONNX),
        VariantKind("int8", "as onnx, matrix products in int8", **_ONNX),
    )

    def version(self) -> str:
        import keras

        return str(keras.__version__)

    def make_repeatable(self) -> None:
        from components._frameworks.keras.fit import be_repeatable

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
        from tensorflow_transform import TFTransformOutput

        from components._frameworks.keras.build_model import build
        from components._frameworks.keras.trainable_model import KerasModel

        model = build(
            code.load(),
            code.folder,
            code.file,
            data.train.columns,
            TFTransformOutput(str(data.transform_graph)),
            hyperparameters,
            task=task,
            classes=classes,
            seed=seed,
        )
        return KerasModel(model, data.train.columns, data.transform_graph, task)

    def make_variant(self, name: str, model: Path, folder: Path, rows: Arrays) -> None:
        from components._frameworks.keras.variants import make_variant

        make_variant(name, model, folder, rows)

    def check_files(self, model: Path) -> None:
        from components._frameworks.saved_models.saved_graph import check_saved_model

        check_saved_model(model / SAVED_MODEL)

    def open(self, signature: Signature, model: Path) -> Model:
        from components._frameworks.keras.saved_model import open_model

        return open_model(signature, model)


FRAMEWORK = KerasFramework()
