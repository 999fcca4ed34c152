"""A Keras model that the project's build_model has returned: the contract's `TrainableModel`."""

from __future__ import annotations

from pathlib import Path

import keras
from tensorflow_transform import TFTransformOutput

from components._core.project.train_config import Train
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import AfterEpoch, Array, Layer, Progress, TrainableModel, TrainingData
from components._frameworks.keras.export import export
from components._frameworks.keras.fit import fit, score
from components._frameworks.keras.unused_columns import find_unused
from components._frameworks.transformed_rows import Column, TransformedRows


class KerasModel(TrainableModel):
    """A compiled model on transformed features.

    Args:
        model: The compiled model.
        columns: The transformed features.
        transform_graph: Folder of the transform graph that made them.
        task: The project's task.
    """

    def __init__(self, model: keras.Model, columns: tuple[Column, ...], transform_graph: Path, task: Task) -> None:
        self._model = model
        self._columns = columns
        self._transform_graph = transform_graph
        self._task = task

    def fit(
        self,
        data: TrainingData,
        settings: Train,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        return fit(
            self._model,
            data.train,
            data.held_out,
            settings,
            task=self._task,
            class_weights=data.class_weights,
            progress=progress,
            after_epoch=after_epoch,
        )

    def score(self, rows: TransformedRows) -> Array:
        return score(self._model, rows)

    def export(self, signature: Signature, folder: Path) -> None:
        transform_fn = self._transform_graph / TFTransformOutput.TRANSFORM_FN_DIR
        export(transform_fn, self._model, self._columns, signature, folder)

    def count_parameters(self) -> int:
        return int(self._model.count_params())

    def layers(self) -> list[Layer]:
        return [_describe(layer) for layer in self._model.layers]

    def unused_columns(self) -> list[str]:
        return find_unused(self._model, self._columns)


def _describe(layer: keras.Layer) -> Layer:
    shape = getattr(layer.output, "shape", "") if isinstance(layer.output, keras.KerasTensor) else ""
    return Layer(layer.name, type(layer).__name__, str(tuple(shape)) if shape else "", layer.count_params())
