"""A finished model as the contract's `TrainableModel`: nothing is fitted; what it scores is checked and measured, then it is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ConfigError, ModelError
from components._core.project.model_config import ImportedModel
from components._core.project.train_config import Train
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import (
    AfterEpoch,
    Arrays,
    Layer,
    ModelCode,
    Progress,
    TrainableModel,
    TrainingData,
)
from components._frameworks.onnx.file_mapping import Mapping, Numbers, by_label_class, call_file, to_probabilities
from components._frameworks.onnx.input_columns import WHOLE, find_columns
from components._frameworks.onnx.model_file import EXPORT_ROWS, ModelFile
from components._frameworks.onnx.score_output import find_scores, order_classes
from components._frameworks.onnx.wrapped_graph import wrap
from components._frameworks.onnx_models.artifact import write_artifact
from components._frameworks.onnx_models.onnx_model import OnnxModel, reason_of
from components._frameworks.transformed_rows import Column, TransformedRows

ROWS = 10_000
"""Rows of train and of eval, at most, that it is checked with."""
_ONE_BY_ONE = 200
"""Those of a file that takes one row at a time."""
_ALONE = 16
"""Rows that are also asked alone."""
_CLOSE = 1e-5
"""Largest difference between two answers of one model to one row, relative to answers beyond 1: sums are added in another order."""
_SUM = 1e-3
"""Largest difference of a row's probabilities from 1, in sum."""
_UNKNOWN_ROWS = "Which rows it was trained on is not known here: measures of rows that are among them are too good."


def build(code: ModelCode, data: TrainingData, *, task: Task, classes: list[str]) -> FinishedModel:
    """Read and check the file, and find its columns and classes.

    Raises:
        ModelError: When the file is refused.
        ConfigError: When its columns or classes are not those of the project.
    """
    imported = code.imported or ImportedModel()
    file = ModelFile(code.folder / code.file, code.file)
    output = find_scores(file, imported, task, classes)
    ordered, _ = order_classes(output, imported, classes, file.name)
    columns = find_columns(file, data.train.columns, imported)
    order = [ordered.index(name) for name in classes]
    mapping = Mapping(columns, output, imported.outputs.activation or "", ordered, order)
    return FinishedModel(file, mapping, task)


class FinishedModel(TrainableModel):
    """A file with the columns and classes of the project.

    Args:
        file: The file.
        mapping: Its inputs and outputs.
        task: The project's task.
    """

    def __init__(self, file: ModelFile, mapping: Mapping, task: Task) -> None:
        self._file = file
        self._mapping = mapping
        self._task = task
        self._columns: tuple[Column, ...] = ()
        self._transform_fn: Path | None = None
        self._rows: Arrays = {}
        self._scores: NDArray[Any] = np.empty(0)

    def fit(
        self,
        data: TrainingData,
        settings: Train,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        """Fit nothing: score rows of train and eval with the file itself, and measure the scores; see the contract."""
        self._columns = data.train.columns
        self._transform_fn = data.transform_fn if data.is_prepared else None
        measured, _, _ = self._measure(data.train, "train")
        judged, self._rows, self._scores = self._measure(data.held_out, "eval")
        return Progress([measured | {f"eval_{name}": value for name, value in judged.items()}], steps=0, best_epoch=0)

    def score(self, rows: TransformedRows) -> NDArray[Any]:
        return np.concatenate(
            [self._task_scores(self._call(arrays, len(labels))) for arrays, labels in rows.batches(ROWS)]
        )

    def export(self, signature: Signature, folder: Path) -> None:
        content = wrap(self._file, self._mapping, self._columns, signature)
        self._compare(self._open(signature, content))
        write_artifact(folder, content, signature, [column.name for column in self._columns], self._transform_fn)

    def count_parameters(self) -> int:
        return sum(_count(node) for node in self._file.proto.graph.node) + sum(
            int(np.prod(each.dims)) for each in self._file.proto.graph.initializer
        )

    def layers(self) -> list[Layer]:
        return [
            Layer(name, f"{count} in the graph", "", 0) for name, count in sorted(self._file.count_operators().items())
        ]

    def notes(self) -> list[str]:
        facts = "; ".join(f"{name} {value}" for name, value in self._file.facts().items())
        return [f"Nothing was fitted: {facts}.", _UNKNOWN_ROWS]

    def unused_columns(self) -> list[str]:
        return self._mapping.columns.unused(self._columns)

    def _measure(self, rows: TransformedRows, split: str) -> tuple[dict[str, float], Arrays, NDArray[Any]]:
        """Score rows with the file; returns the loss and the metrics of training, the rows, and their scores."""
        arrays, labels = rows.head(_ONE_BY_ONE if self._file.one_row else ROWS)
        self._check_whole(arrays, split)
        found = self._call(arrays, len(labels))
        self._check_scores(found, arrays, split)
        scores = self._task_scores(found)
        metrics = self._task.measure(labels, scores)
        measured = {"loss": float(self._task.row_losses(labels, scores).mean())}
        measured |= {name: metrics[name] for name in self._task.training_metrics if np.isfinite(metrics[name])}
        return measured, arrays, scores

    def _call(self, arrays: Arrays, count: int) -> Numbers:
        return to_probabilities(call_file(self._file, self._mapping, arrays, count), self._mapping)

    def _task_scores(self, found: Numbers) -> NDArray[Any]:
        ordered = by_label_class(found, self._mapping)
        return ordered if self._task.scores_by_class else ordered[:, -1]

    def _check_whole(self, arrays: Arrays, split: str) -> None:
        """Refuse fractions in a column that an input takes as whole numbers: they would be cut off without a word."""
        for each in self._file.inputs:
            for column in self._mapping.columns.by_input[each.name]:
                if each.kind not in WHOLE or column.dtype != "float32":
                    continue
                values = arrays[column.name]
                fractions = values[np.isfinite(values) & (values != np.floor(values))]
                if len(fractions):
                    message = f"the input takes whole numbers ({each.kind}), and the column {column.name!r} has {fractions[0]:g} in a row of {split}"
                    remedy = "name another column, or round it in a preprocessing_fn"
                    raise ConfigError(message, where=f"model.inputs.{each.name}", remedy=remedy)

    def _check_scores(self, scores: Numbers, arrays: Arrays, split: str) -> None:
        """Refuse scores that cannot be scores of the task."""
        where, name = self._file.name, self._mapping.output.name
        broken = ~np.isfinite(scores).all(axis=1)
        if broken.any():
            raise self._not_finite(broken, arrays, split)
        if not self._task.has_classes:
            return
        low, high = float(scores.min()), float(scores.max())
        if low < -_CLOSE or high > 1 + _CLOSE:
            message = f"its output {name!r} has values from {low:.3g} to {high:.3g} for {split} rows, which are no probabilities"
            activation = "sigmoid" if scores.shape[1] == 1 else "softmax"
            remedy = f"if they are logits, write model: {{outputs: {{activation: {activation}}}}}; else name another output, or check the columns"
            raise ModelError(message, where=where, remedy=remedy)
        if scores.shape[1] > 1 and (far := float(np.abs(scores.sum(axis=1) - 1).max())) > _SUM:
            message = f"the probabilities of its output {name!r} sum to 1 but for {far:.3g} in a row of {split}; allowed: {_SUM:g}"
            remedy = "export it with probabilities that exclude each other (softmax), one for each class"
            raise ModelError(message, where=where, remedy=remedy)

    def _not_finite(self, broken: NDArray[np.bool_], arrays: Arrays, split: str) -> ModelError:
        """The error for scores that are NaN or infinite, with the columns whose missing values explain them."""
        used = [column for taken in self._mapping.columns.by_input.values() for column in taken]
        lacking = {
            column.name: np.isnan(arrays[column.name]).reshape(len(broken), -1).any(axis=1)
            for column in used
            if column.dtype == "float32" and column.name not in self._mapping.columns.missing
        }
        guilty = [name for name, missing in lacking.items() if (missing & broken).any()]
        message = f"gives NaN or infinity for {int(broken.sum())} of {len(broken)} {split} rows"
        if not guilty:
            return ModelError(
                message, where=self._file.name, remedy="check that its inputs get the columns that it was trained on"
            )
        shown = ", ".join(f"{name}: VALUE" for name in guilty[:4])
        remedy = f"write what replaces them, as in training: model: {{missing: {{{shown}}}}}; or replace them in a preprocessing_fn"
        return ModelError(
            f"{message}, which have missing values ({', '.join(guilty[:8])})", where=self._file.name, remedy=remedy
        )

    def _open(self, signature: Signature, content: bytes) -> OnnxModel:
        try:
            return OnnxModel(signature, content)
        except Exception as error:  # the errors of onnxruntime have no public class in common
            message = f"cannot be served: {reason_of(error)}"
            raise ModelError(message, where=self._file.name, remedy="export it again, with another opset") from error

    def _compare(self, model: OnnxModel) -> None:
        """Refuse to export what does not answer as the file does, or answers a row otherwise alone than among others."""
        count = len(self._scores)
        together = self._ask(model, slice(0, count))
        if not _is_close(together, self._scores):
            message = (
                "several rows at a time are answered otherwise than each"
                if self._file.one_row
                else "what is served does not answer as the file"
            )
            raise ModelError(message, where=self._file.name, remedy=EXPORT_ROWS)
        some = range(0, count, -(-count // _ALONE))
        alone = np.concatenate([self._ask(model, slice(row, row + 1)) for row in some])
        if not _is_close(alone, together[[*some]]):
            message = "answers a row otherwise alone than among others: it calculates with all rows of a call"
            raise ModelError(message, where=self._file.name, remedy="export it for inference (evaluation mode)")

    def _ask(self, model: OnnxModel, rows: slice) -> NDArray[Any]:
        try:
            return model.run([self._rows[column.name][rows] for column in self._columns])[self._task.score]
        except ModelError as error:
            if not self._file.one_row:
                raise
            message = f"takes one row at a time, and fails on several: {error.message}"
            raise ModelError(message, where=self._file.name, remedy=EXPORT_ROWS) from error


def _is_close(some: NDArray[Any], others: NDArray[Any]) -> bool:
    return bool(some.shape == others.shape and (np.abs(some - others) <= _CLOSE * np.maximum(np.abs(others), 1)).all())


def _count(node: Any) -> int:
    return sum(len(attribute.floats) for attribute in node.attribute)
