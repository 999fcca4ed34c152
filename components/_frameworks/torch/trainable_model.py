"""A module that the project's build_model has returned: the contract's `TrainableModel`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.files import write_json
from components._core.project.train_config import Train
from components._core.types.artifact_files import STRUCTURE
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import (
    AfterEpoch,
    Layer,
    ModelCode,
    Progress,
    StructureImportance,
    TrainableModel,
    TrainingData,
)
from components._frameworks.onnx_models.artifact import write_artifact
from components._frameworks.onnx_models.onnx_model import OnnxModel
from components._frameworks.onnx_models.parity import ROW, ROWS, check_parity, differences_by_row
from components._frameworks.torch.build_model import Built
from components._frameworks.torch.fit import Fit
from components._frameworks.torch.losses import activate
from components._frameworks.torch.onnx_export import assemble, export_module
from components._frameworks.torch.slopes import measure_slopes
from components._frameworks.torch.structure import count_numbers
from components._frameworks.torch.tensors import as_inputs
from components._frameworks.transformed_rows import TransformedRows

_REMEDY = (
    "the exporter follows one call of the module: use torch.where instead of `if` on values, take numbers of rows from "
    "tensors' shapes, and let no row depend on the others of its batch"
)
_MEASURED = 2_000
"""Training rows by which the slopes are measured, at most."""
_ALONE = 20
"""Eval rows that are scored one by one as well: that a module mixes rows shows nowhere else."""


class TorchModel(TrainableModel):
    """A module on raw numeric columns, or on what a preprocessing_fn makes.

    Args:
        built: What build_model has made.
        code: Where it comes from.
        data: The rows that it was built for.
        task: The project's task.
        classes: The label's classes; empty for a task without classes.
    """

    def __init__(self, built: Built, code: ModelCode, data: TrainingData, task: Task, classes: list[str]) -> None:
        self._built, self._code, self._data = built, code, data
        self._task, self._classes = task, classes
        self._columns = data.train.columns

    def fit(
        self,
        data: TrainingData,
        settings: Train,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        units = self._task.units(self._classes)
        fit = Fit(self._built, self._code, self._columns, self._task, units, data.class_weights)
        return fit.run(data, settings, progress, after_epoch)

    def score(self, rows: TransformedRows) -> NDArray[np.float64]:
        return np.concatenate([self._score(features) for features, _ in rows.batches(rows.call_rows)])

    def export(self, signature: Signature, folder: Path) -> None:
        rows, _ = self._data.held_out.head(ROWS)
        exported = export_module(self._built.module, self._columns, rows, self._task, self._classes, self._code)
        content = assemble(exported, self._columns, signature).SerializeToString(deterministic=True)
        self._compare(OnnxModel(signature, content), rows)
        if structure := self._measure():
            write_json(folder / STRUCTURE, asdict(structure))
        transform_fn = self._data.transform_fn if self._data.is_prepared else None
        write_artifact(folder, content, signature, [column.name for column in self._columns], transform_fn)

    def count_parameters(self) -> int:
        return count_numbers(self._built.module, whole=True)

    def layers(self) -> list[Layer]:
        return self._built.layers

    def unused_columns(self) -> list[str]:
        return self._built.unused

    def _compare(self, opened: OnnxModel, rows: dict[str, NDArray[Any]]) -> None:
        """Compare the answers of what is exported with the module's, and of a row alone with those of all."""
        columns = [rows[column.name] for column in self._columns]
        exported = opened.run(columns)[self._task.score]
        check_parity(self._task, self._score(rows), exported, "the module of build_model", _REMEDY)
        spread = 1.0 if self._task.has_classes else float(exported.std()) or 1.0
        for row in range(min(_ALONE, len(exported))):
            alone = opened.run([values[row : row + 1] for values in columns])[self._task.score]
            if not differences_by_row(alone, exported[row : row + 1])[0] <= ROW * spread:  # also for NaN
                message = "the module of build_model gives a row another score alone than among others"
                raise ModelError(message, where=self._code.file, remedy=_REMEDY)

    def _measure(self) -> StructureImportance | None:
        rows, _ = self._data.train.head(_MEASURED)
        inputs = as_inputs(rows, self._columns, torch.device("cpu"))
        return measure_slopes(self._built.module.eval(), inputs, self._built.unused, raw=not self._data.is_prepared)

    def _score(self, rows: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Score rows with the module itself, which is in the mode of evaluation: [rows], or [rows, classes] where scores are by class."""
        module = self._built.module.eval()
        with torch.no_grad():
            outputs = module(as_inputs(rows, self._columns, torch.device("cpu"))).float()
        scores = activate(self._task, outputs.reshape(-1, self._task.units(self._classes)))
        found: NDArray[np.float64] = scores.numpy().astype(np.float64)
        return found if self._task.scores_by_class else found[:, 0]
