"""Convert a fitted pipeline to ONNX: raw columns in, the task's outputs out.

skl2onnx converts the pipeline. What it takes and gives is made ours around that: whole numbers are cast to float32 where that is exact,
because its converters refuse some mixtures of types, and the outputs are those of the task.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from components._core.errors import UserCodeError
from components._core.types.feature_types import first_inexact
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.onnx_models.onnx_names import Names, rename
from components._frameworks.onnx_models.task_outputs import AddedNodes, make_inputs, make_model
from components._frameworks.sklearn import boosted_conversion, design_conversion  # noqa: F401  (register converters)
from components._frameworks.sklearn.average import Average
from components._frameworks.sklearn.data_frames import name_columns
from components._frameworks.sklearn.design_matrix import DesignMatrix
from components._frameworks.sklearn.native_columns import NativeColumns
from components._frameworks.sklearn.pipeline_steps import Step, walk
from components._frameworks.sklearn.scores import selection_matrix
from components._frameworks.transformed_rows import Column

_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions of the operators to convert to: with the same ones, every release of skl2onnx in use writes what every onnxruntime reads."""
_INPUT_TYPES = {"float32": FloatTensorType, "int64": Int64TensorType, "string": StringTensorType}
_REMEDY = "use steps that skl2onnx converts (https://onnx.ai/sklearn-onnx/supported.html)"


def refuse_unconvertible(pipeline: Pipeline, file: str) -> None:
    """Refuse a pipeline with a step that has no converter, before time is spent on fitting it.

    Raises:
        UserCodeError: With the name of the step.
    """
    for step in walk(pipeline):
        if not isinstance(step.estimator, BaseEstimator):  # `passthrough`, `drop`
            continue
        own = isinstance(step.estimator, FunctionTransformer) and step.estimator.func is not None
        if own or type(step.estimator) not in sklearn_operator_name_map:
            why = "calls a Python function, which ONNX cannot" if own else "has no converter to ONNX"
            raise UserCodeError(
                f"step {step.name!r} of build_model's pipeline ({step.kind}) {why}", where=file, remedy=_REMEDY
            )


def convert(
    pipeline: Pipeline, signature: Signature, rows: pd.DataFrame, columns: tuple[Column, ...] = ()
) -> onnx.ModelProto:
    """Convert a fitted pipeline; equal pipelines give equal models.

    Args:
        pipeline: The pipeline.
        signature: What the model takes and gives.
        rows: The training rows, which say how large whole numbers are.
        columns: What it takes instead of the signature's inputs: the features that a preprocessing_fn makes.

    Raises:
        UserCodeError: When a step cannot be converted.
    """
    taken = columns or tuple(Column(feature.name, feature.dtype, ()) for feature in signature.inputs)
    exact = _exact_as_float(taken, rows)
    types = [
        (name, _INPUT_TYPES["float32" if column.name in exact else column.dtype]([None, 1]))
        for column, names in zip(taken, name_columns(taken).values(), strict=True)
        for name in names
    ]
    last = pipeline.steps[-1][1]
    converted = []
    for part in last.members_ if isinstance(last, Average) else [pipeline]:
        whole = _with_columns_first(part, rows)
        try:
            # zipmap would make a dictionary per row of the probabilities
            options = {id(whole): {"zipmap": False}} if TASKS[signature.task].has_classes else None
            converted.append(
                convert_sklearn(whole, name="pipeline", initial_types=types, options=options, target_opset=_OPSETS)
            )
        except Exception as error:
            raise _translate(error, pipeline) from error
    return _assemble(converted, pipeline, signature, taken, exact)


def _exact_as_float(columns: tuple[Column, ...], rows: pd.DataFrame) -> set[str]:
    """Names of the whole numbers that float32 holds exactly."""
    limit = first_inexact(np.dtype(np.float32))
    return {
        column.name
        for column, names in zip(columns, name_columns(columns).values(), strict=True)
        if column.is_whole and all(bool((rows[name].abs() < limit).all()) for name in names)
    }


def _with_columns_first(pipeline: Pipeline, rows: pd.DataFrame) -> Pipeline:
    """The pipeline with a step in front that joins the columns into one matrix, which most converters need."""
    first = pipeline.steps[0][1]
    if isinstance(first, ColumnTransformer | NativeColumns | DesignMatrix) or any(
        dtype.kind == "O" for dtype in rows.dtypes
    ):
        return pipeline
    columns = ColumnTransformer([("all", "passthrough", list(rows.columns))]).fit(rows.head(1))
    return Pipeline([("naru columns", columns), *pipeline.steps])


def _translate(error: Exception, pipeline: Pipeline) -> UserCodeError:
    text = str(error).strip()
    steps = [step for step in walk(pipeline) if step.kind in text]
    message = text.splitlines()[0][:300] if text else type(error).__name__
    return UserCodeError(
        f"{_subject(steps)} cannot be converted to ONNX: {message}", where="build_model", remedy=_REMEDY
    )


def _subject(steps: list[Step]) -> str:
    return f"step {steps[0].name!r} ({steps[0].kind})" if steps else "the pipeline"


def _assemble(
    converted: list[onnx.ModelProto],
    pipeline: Pipeline,
    signature: Signature,
    columns: tuple[Column, ...],
    exact: Collection[str],
) -> onnx.ModelProto:
    """Build the model again: our inputs, the converted nodes under names by their order, the task's outputs.

    Of several converted models the weighted mean is taken.
    """
    names = Names(column.name for column in columns)
    front, given = AddedNodes(names), list[str]()
    for column in columns:
        width = column.shape[0] if column.shape else 1
        value = column.name
        if column.name in exact:
            value = front.node("Cast", column.name, to=TensorProto.FLOAT)
        given += front.split(value, width) if column.shape else [value]
    nodes, constants, results = [*front.nodes], [*front.constants], list[str]()
    for part in converted:
        known = {taken.name: name for taken, name in zip(part.graph.input, given, strict=True)}
        graph = rename(part.graph, known, names)
        nodes += graph.node
        constants += graph.initializer
        results.append(graph.output[-1].name)
    behind = AddedNodes(names)
    behind.add_task_outputs(_scores(behind, pipeline, signature, results), signature)
    complete = helper.make_graph(
        [*nodes, *behind.nodes],
        "pipeline",
        make_inputs(columns),
        behind.outputs,
        initializer=[*constants, *behind.constants],
    )
    opsets = {"": _OPSETS[""]} | {opset.domain: opset.version for part in converted for opset in part.opset_import}
    return make_model(complete, opsets, converted[0].ir_version)


def _scores(behind: AddedNodes, pipeline: Pipeline, signature: Signature, results: list[str]) -> str:
    """Add what makes float32 scores of what the pipeline gives, the weighted mean of several: probabilities [rows, classes], predictions [rows, 1]."""
    each = [behind.node("Cast", result, to=TensorProto.FLOAT) for result in results]
    scores = each[0] if len(each) == 1 else _add_mean(behind, each, pipeline.steps[-1][1].weights)
    selection = selection_matrix(pipeline, len(signature.classes)) if signature.classes else None
    return scores if selection is None else behind.node("MatMul", scores, behind.constant(selection))


def _add_mean(behind: AddedNodes, scores: list[str], weights: Sequence[float] | None) -> str:
    if weights is None or len({*weights}) == 1:
        return behind.node("Mean", *scores)
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    weighted = [
        behind.node("Mul", score, behind.constant(np.float32(share)))
        for score, share in zip(scores, shares, strict=True)
    ]
    return behind.node("Sum", *weighted)
