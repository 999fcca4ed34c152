"""A file's inputs and outputs in terms of the project, and the scores of the file itself, by which what is served is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._frameworks.contract import Arrays
from components._frameworks.onnx.input_columns import InputColumns
from components._frameworks.onnx.model_file import FileInput, ModelFile
from components._frameworks.onnx.remedies import write_fields
from components._frameworks.onnx.score_output import ScoreOutput
from components._frameworks.onnx_models.activations import sigmoid, softmax
from components._frameworks.onnx_models.onnx_model import reason_of

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Mapping:
    """What a file takes and gives.

    Attributes:
        columns: The columns of its inputs.
        output: Its output with the scores.
        activation: What makes probabilities of them: `sigmoid` or `softmax`; empty: they are.
        classes: The class of each column of the scores; of one column, the class that it is the probability of comes last.
        order: Place among `classes` of each of the label's classes.
    """

    columns: InputColumns
    output: ScoreOutput
    activation: str
    classes: tuple[str, ...]
    order: list[int]


def call_file(file: ModelFile, mapping: Mapping, arrays: Arrays, rows: int) -> Numbers:
    """Call the file itself, apart from the graph that is served; a file that takes one row at a time is called for each.

    Args:
        file: The file.
        mapping: Its inputs and outputs.
        arrays: Columns by name, [rows] or [rows, k].
        rows: How many there are.

    Returns:
        What the file gives, before any activation, [rows, width].

    Raises:
        ModelError: When it fails on the rows, or gives another shape.
    """
    fed = {each.name: _fill(each, mapping, arrays) for each in file.inputs}
    steps = [slice(row, row + 1) for row in range(rows)] if file.one_row else [slice(0, rows)]
    return np.concatenate([_call(file, mapping.output, {name: fed[name][step] for name in fed}) for step in steps])


def _fill(each: FileInput, mapping: Mapping, arrays: Arrays) -> NDArray[np.generic]:
    parts = []
    for column in mapping.columns.by_input[each.name]:
        values = arrays[column.name]
        if column.name in mapping.columns.missing and column.dtype == "float32":
            values = np.where(np.isnan(values), np.float32(mapping.columns.missing[column.name]), values)
        if each.kind == "int32" and column.dtype == "int64":
            limits = np.iinfo(np.int32)
            values = values.clip(limits.min, limits.max)
        parts.append((values if values.ndim == 2 else values[:, None]).astype(object if each.is_text else each.kind))
    joined: NDArray[np.generic] = np.concatenate(parts, axis=1)
    return joined if each.rank == 2 else joined[:, 0]


def _call(file: ModelFile, output: ScoreOutput, fed: dict[str, NDArray[np.generic]]) -> Numbers:
    rows = len(next(iter(fed.values())))
    try:
        (found,) = file.session.run([output.name], fed)
    except Exception as error:  # the errors of onnxruntime have no public class in common
        raise ModelError(
            f"fails on rows of the table: {reason_of(error)}", where=file.name, remedy="export it again"
        ) from error
    if output.is_map:
        found = [[by_class[_key(by_class, name)] for name in output.classes] for by_class in found]
    scores = np.asarray(found, np.float64)
    if scores.size != rows * output.width or (scores.ndim and len(scores) not in (rows, scores.size)):
        message = f"its output {output.name!r} has the shape {list(scores.shape)} for {rows} rows; must be [{rows}, {output.width}]"
        raise ModelError(
            message,
            where=file.name,
            remedy=f"export it with one score per row, or name another output: {write_fields({'model.outputs.scores': 'OUTPUT'})}",
        )
    return scores.reshape(rows, output.width)


def _key(by_class: dict[object, float], name: str) -> object:
    return name if name in by_class else int(name)


def to_probabilities(scores: Numbers, mapping: Mapping) -> Numbers:
    """Apply the activation, [rows, width]."""
    if mapping.activation == "sigmoid":
        return sigmoid(scores)
    if mapping.activation == "softmax":
        return softmax(scores)
    return scores


def by_label_class(scores: Numbers, mapping: Mapping) -> Numbers:
    """Bring probabilities into the order of the label's classes, [rows, classes]; values of a task without classes stay [rows, 1]."""
    if not mapping.classes:
        return scores
    both = np.concatenate([1 - scores, scores], axis=1) if scores.shape[1] == 1 else scores
    return both[:, mapping.order]
