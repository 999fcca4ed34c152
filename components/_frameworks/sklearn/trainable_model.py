"""A pipeline that the project's build_model has returned: the contract's `TrainableModel`."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from components._core.errors import ModelError, UserCodeError
from components._core.files import write_json
from components._core.project.config_types import Hyperparameter
from components._core.project.train_config import Train
from components._core.types.artifact_files import STRUCTURE
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import AfterEpoch, Layer, Progress, TrainableModel, TrainingData
from components._frameworks.model_kinds import FEW_ROWS
from components._frameworks.onnx_models.artifact import write_artifact
from components._frameworks.onnx_models.onnx_model import OnnxModel, reason_of
from components._frameworks.onnx_models.parity import ROWS
from components._frameworks.sklearn import parity, scores
from components._frameworks.sklearn.data_frames import name_columns, read_rows
from components._frameworks.sklearn.early_stopping import Rows, find_stopping
from components._frameworks.sklearn.onnx_conversion import convert
from components._frameworks.sklearn.pipeline_steps import walk
from components._frameworks.sklearn.row_weights import row_weights
from components._frameworks.sklearn.structure import measure_structure
from components._frameworks.sklearn.used_columns import find_used
from components._frameworks.transformed_rows import Column, TransformedRows

MEASURED = 50_000
"""Training rows, at most, whose loss and metrics are shown beside those of eval: drawn evenly, since scoring all costs a third of a fit."""


class SklearnModel(TrainableModel):
    """A pipeline on raw columns, or on what a preprocessing_fn makes of them.

    Args:
        pipeline: The pipeline.
        task: The project's task.
        classes: The label's classes; empty for a task without classes.
    """

    def __init__(self, pipeline: Pipeline, task: Task, classes: list[str]) -> None:
        self._pipeline = pipeline
        self._task = task
        self._classes = len(classes)
        self._train, self._held_out = pd.DataFrame(), pd.DataFrame()
        self._judged: NDArray[Any] = np.empty(0)
        self._columns: tuple[Column, ...] = ()
        self._transform_fn: Path | None = None

    def fit(
        self,
        data: TrainingData,
        settings: Train,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        """Fit the pipeline in one call; see the contract."""
        self._columns = data.train.columns
        self._transform_fn = data.transform_fn if data.is_prepared else None
        self._train, labels = read_rows(data.train)
        self._held_out, held_out_labels = read_rows(data.held_out)
        try:
            with _limit_threads(len(labels)):
                self._fit(labels, held_out_labels, data.class_weights)
            some = slice(None, None, -(-len(labels) // MEASURED) or 1)
            measured = {} if data.is_trial else self._measure(self._train.iloc[some], labels[some], data.class_weights)
            judged = self._measure(self._held_out, held_out_labels, data.class_weights)
            measured |= {f"eval_{name}": value for name, value in judged.items()}
        except MemoryError as error:
            rows = f"{len(self._train):,} rows of {len(self._train.columns)} columns"
            remedy = (
                "train on fewer rows or spans, or on a machine with more memory: scikit-learn takes all rows at once"
            )
            raise ModelError(f"{rows} do not fit into memory", remedy=remedy) from error
        except (ModelError, UserCodeError):
            raise
        except Exception as error:  # of any step
            first = (str(error).strip().splitlines() or [""])[0][:300]
            message = f"the pipeline cannot be fitted: {type(error).__name__}: {first}"
            raise ModelError(
                message, remedy="look at build_model: columns, missing values (NaN and ''), texts"
            ) from error
        return Progress([measured], steps=0, best_epoch=0)

    def score(self, rows: TransformedRows) -> NDArray[Any]:
        given, _ = read_rows(rows)
        return self._judged if given is self._held_out else self._score(given)

    def found_hyperparameters(self) -> dict[str, Hyperparameter]:
        stopping = find_stopping(self._pipeline.steps[-1][1])
        return {} if stopping is None else {stopping.parameter: stopping.rounds(self._pipeline.steps[-1][1])}

    def export(self, signature: Signature, folder: Path) -> None:
        content = convert(self._pipeline, signature, self._train, self._columns).SerializeToString(deterministic=True)
        self._compare(signature, content)
        if structure := measure_structure(self._pipeline, self._train, raw=self._transform_fn is None):
            write_json(folder / STRUCTURE, asdict(structure))
        names = [column.name for column in self._columns]
        write_artifact(folder, content, signature, names, self._transform_fn)

    def count_parameters(self) -> int:
        return sum(step.count_numbers() for step in walk(self._pipeline))

    def layers(self) -> list[Layer]:
        return [Layer(step.name, _kind(step.estimator), "", step.count_numbers()) for step in walk(self._pipeline)]

    def unused_columns(self) -> list[str]:
        names = list(self._train.columns)
        used = find_used(self._pipeline, names)
        return [name for name in names if name not in used]

    def _fit(self, labels: NDArray[Any], held_out_labels: NDArray[Any], class_weights: NDArray[Any] | None) -> None:
        weights = row_weights(self._pipeline, labels, class_weights)
        stopping = find_stopping(self._pipeline.steps[-1][1])
        if stopping is None:
            self._pipeline.fit(self._train, labels, **weights)
            return
        before, last = self._pipeline[:-1], self._pipeline.steps[-1][1]
        known = np.isin(held_out_labels, labels) if self._classes else np.ones(len(held_out_labels), dtype=bool)
        judged, judged_labels = self._held_out[known], held_out_labels[known]
        if len(before.steps):
            rows, judged = before.fit_transform(self._train, labels), before.transform(judged)
            # with `memory` scikit-learn fits copies, which the slice alone has
            self._pipeline.steps[:-1] = before.steps
        else:
            rows = self._train
        stopping.fit(
            last,
            Rows(rows, labels, next(iter(weights.values()), None)),
            Rows(judged, judged_labels, None if class_weights is None else class_weights[judged_labels]),
        )

    def _measure(
        self, rows: pd.DataFrame, labels: NDArray[Any], class_weights: NDArray[Any] | None
    ) -> dict[str, float]:
        """The loss, weighted as in the fit, and those metrics of the task that training shows, of rows."""
        found = self._score(rows)
        if rows is self._held_out:
            self._judged = found
        loss = scores.loss(self._task, labels, found, None if class_weights is None else class_weights[labels])
        if not math.isfinite(loss):
            raise ModelError(f"the loss is {loss}", remedy="look at build_model for what gives NaN or infinity")
        metrics = self._task.measure(labels, found)
        return {"loss": loss} | {
            name: metrics[name] for name in self._task.training_metrics if math.isfinite(metrics[name])
        }

    def _score(self, rows: pd.DataFrame) -> NDArray[Any]:
        return scores.score(self._pipeline, self._task, self._classes, rows)

    def _compare(self, signature: Signature, content: bytes) -> None:
        """Compare the answers of what is exported with the pipeline's, on eval rows."""
        rows = self._held_out.head(ROWS)
        named = name_columns(self._columns)
        given = [
            rows[names].to_numpy() if column.shape else rows[column.name].to_numpy()
            for column, names in zip(self._columns, named.values(), strict=True)
        ]
        try:
            opened = OnnxModel(signature, content)
        except Exception as error:  # onnxruntime refuses what this machine lacks, such as a locale
            remedy = "replace the step that needs this"
            message = f"onnxruntime cannot open the converted pipeline: {reason_of(error)}"
            raise UserCodeError(message, where="the model of build_model", remedy=remedy) from error
        estimator = type(self._pipeline.steps[-1][1]).__name__
        parity.check_parity(self._task, self._score, rows, opened.run(given)[self._task.score], estimator)


def _limit_threads(rows: int) -> AbstractContextManager[Any]:
    """Limit the threads of what runs inside to one where there are few rows."""
    return threadpool_limits(1) if rows < FEW_ROWS else nullcontext()


def _kind(estimator: Any) -> str:
    return estimator if isinstance(estimator, str) else type(estimator).__name__
