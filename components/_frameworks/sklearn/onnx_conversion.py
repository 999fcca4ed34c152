"""Convert a fitted pipeline to ONNX: raw columns in, the task's outputs out.

skl2onnx converts the pipeline. What it takes and gives is made ours around that: whole numbers are cast to float32 where that is exact,
because its converters refuse some mixtures of types, and the outputs are those of the task.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from components._core.errors import UserCodeError
from components._core.types.feature_types import FEATURE_TYPES, first_inexact
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Output
from components._frameworks.sklearn import boosted_conversion, design_conversion  # noqa: F401  (register converters)
from components._frameworks.sklearn.average import Average
from components._frameworks.sklearn.data_frames import name_columns
from components._frameworks.sklearn.design_matrix import DesignMatrix
from components._frameworks.sklearn.native_columns import NativeColumns
from components._frameworks.sklearn.onnx_names import Names, rename
from components._frameworks.sklearn.pipeline_steps import Step, walk
from components._frameworks.sklearn.scores import selection_matrix
from components._frameworks.transformed_rows import Column

_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions of the operators to convert to: with the same ones, every release of skl2onnx in use writes what every onnxruntime reads."""
_INPUT_TYPES = {"float32": FloatTensorType, "int64": Int64TensorType, "string": StringTensorType}
_TENSOR_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}
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
        if FEATURE_TYPES[column.dtype].is_whole and all(bool((rows[name].abs() < limit).all()) for name in names)
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

    Of several converted models the mean is taken.
    """
    names = Names(column.name for column in columns)
    inputs, nodes, constants, given = [], [], [], list[str]()
    for column in columns:
        width = column.shape[0] if column.shape else 1
        inputs.append(helper.make_tensor_value_info(column.name, _TENSOR_TYPES[column.dtype], [None, width]))
        value = column.name
        if column.name in exact:
            value = names.next()
            nodes.append(helper.make_node("Cast", [column.name], [value], to=TensorProto.FLOAT))
        parts = [value]
        if column.shape:
            parts = [names.next() for _ in range(width)]
            sizes = numpy_helper.from_array(np.ones(width, np.int64), names.next())
            constants.append(sizes)
            nodes.append(helper.make_node("Split", [value, sizes.name], parts, axis=1))
        given += parts
    results = []
    for part in converted:
        known = {taken.name: name for taken, name in zip(part.graph.input, given, strict=True)}
        graph = rename(part.graph, known, names)
        nodes += graph.node
        constants += graph.initializer
        results.append(graph.output[-1].name)
    made = _outputs(pipeline, signature, results, names)
    complete = helper.make_graph(
        [*nodes, *made.nodes],
        "pipeline",
        inputs,
        made.values,
        initializer=[*constants, *made.constants],
    )
    for number, node in enumerate(complete.node):
        node.name = f"n{number}"
    versions = {"": _OPSETS[""]} | {opset.domain: opset.version for part in converted for opset in part.opset_import}
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())]
    model = helper.make_model(complete, opset_imports=opsets, producer_name="naru", ir_version=converted[0].ir_version)
    onnx.checker.check_model(model)
    return model


class _Made:
    """Nodes, constants and outputs that are added behind the pipeline."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.values: list[onnx.ValueInfoProto] = []

    def constant(self, value: Any) -> str:
        """Add a constant; returns its name."""
        name = self._names.next()
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        output = output or self._names.next()
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output


def _outputs(pipeline: Pipeline, signature: Signature, results: list[str], names: Names) -> _Made:
    """Make the task's outputs, in the order of their names, of what the pipeline gives: probabilities [rows, classes], predictions [rows, 1]."""
    made, task = _Made(names), TASKS[signature.task]
    each = [made.node("Cast", result, to=TensorProto.FLOAT) for result in results]
    scores = each[0] if len(each) == 1 else made.node("Mean", *each)
    selection = selection_matrix(pipeline, len(signature.classes)) if task.has_classes else None
    if selection is not None:
        scores = made.node("MatMul", scores, made.constant(selection))
    for output in sorted(task.outputs, key=lambda output: output.name):
        name = names.take(output.name)
        _add_output(made, output, scores, signature, name)
        shape = [None, len(signature.classes)] if output.by_class else [None]
        made.values.append(helper.make_tensor_value_info(name, _TENSOR_TYPES[output.dtype], shape))
    return made


def _add_output(made: _Made, output: Output, scores: str, signature: Signature, name: str) -> None:
    """An output from the scores: themselves, the text of the class with the greatest one, or one number per row."""
    if output.by_class:
        made.node("Identity", scores, output=name)
    elif FEATURE_TYPES[output.dtype].is_text:
        best = made.node("ArgMax", scores, axis=1, keepdims=0)
        made.node("Gather", made.constant(np.array(signature.classes, dtype=object)), best, output=name, axis=0)
    else:
        positive = [len(signature.classes) - 1] if signature.classes else [0]
        column = made.node("Gather", scores, made.constant(np.array(positive, np.int64)), axis=1)
        made.node("Reshape", column, made.constant(np.array([-1], np.int64)), output=name)
