"""A framework in NumPy alone: its model gives every row the mean of the training labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components._core.errors import ModelError
from components._core.files import read_json, write_json
from components._core.store.file_digests import write_digests
from components._core.types.signature import Signature
from components._frameworks.contract import (
    AfterEpoch,
    Array,
    Arrays,
    Framework,
    Layer,
    Model,
    ModelCode,
    Progress,
    TrainableModel,
    TrainingData,
)
from components._frameworks.transformed_rows import TransformedRows

MEAN = "mean.json"


class ToyModel(Model):
    def __init__(self, signature: Signature, mean: float) -> None:
        self.signature = signature
        self._mean = mean

    def predict(self, arrays: Arrays) -> Arrays:
        rows = len(next(iter(arrays.values())))
        return {name: np.full(rows, self._mean, np.float32) for name in self.signature.outputs}


class ToyTrainableModel(TrainableModel):
    mean = 0.0

    def fit(
        self,
        data: TrainingData,
        settings: Any,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        self.mean = float(np.mean([label for _, labels in data.train.batches(1_000) for label in labels]))
        progress = Progress([{"loss": 0.5, "eval_loss": 0.5}], 1, 0, [], [np.array(self.mean)])
        if after_epoch:
            after_epoch(progress)
        return progress

    def score(self, rows: TransformedRows) -> Array:
        return np.full(rows.rows, self.mean, np.float32)

    def export(self, signature: Signature, folder: Path) -> None:
        write_json(folder / MEAN, self.mean)
        signature.save(folder)
        write_digests(folder)

    def count_parameters(self) -> int:
        return 1

    def layers(self) -> list[Layer]:
        return [Layer("mean", "Mean", "(None, 1)", 1)]


class ToyFramework(Framework):
    name = "toy"
    preprocessing = "in front"
    model_files = (MEAN,)

    def version(self) -> str:
        return "1"

    def make_repeatable(self) -> None:
        """It always is."""

    def build(
        self, code: ModelCode, data: TrainingData, hyperparameters: Mapping[str, Any], **_: Any
    ) -> TrainableModel:
        assert (code.folder / code.file).is_file() and data.transform_graph.is_dir()
        return ToyTrainableModel()

    def check_files(self, model: Path) -> None:
        if not isinstance(read_json(model / MEAN), float):
            raise ModelError("is not a number", where=str(model / MEAN))

    def open(self, signature: Signature, model: Path) -> Model:
        return ToyModel(signature, read_json(model / MEAN))


FRAMEWORK = ToyFramework()
