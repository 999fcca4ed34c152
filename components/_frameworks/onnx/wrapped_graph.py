"""The file's graph between the project's columns and the outputs of its task: what is served.

In front, columns become the file's inputs: missing numbers are replaced, types are cast once, columns of one input are joined. Behind,
the scores become the outputs of the task. Between them are the file's own operators, as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto

from components._core.errors import ModelError
from components._core.types.signature import Signature
from components._frameworks.onnx.model_file import FileInput, ModelFile
from components._frameworks.onnx_models.onnx_names import Names, names_taken, rename
from components._frameworks.onnx_models.task_outputs import AddedNodes, make_inputs, make_model
from components._frameworks.transformed_rows import Column

if TYPE_CHECKING:
    from components._frameworks.onnx.file_mapping import Mapping

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
_WITHOUT_OWN_OPERATORS = 17
"""Version of ONNX's own operators where a file uses only those of ai.onnx.ml."""
_CLIPS_WHOLE = 12
"""Version from which whole numbers can be clipped."""
_IR_WITH_CONSTANTS = 8
"""From format 4 on weights need not be inputs; 8 is what every onnxruntime in use reads."""


def wrap(file: ModelFile, mapping: Mapping, columns: Sequence[Column], signature: Signature) -> bytes:
    """Build the served model; equal files and mappings give equal bytes.

    Args:
        file: The file.
        mapping: Its inputs and outputs in terms of the project.
        columns: What the model takes, in the order of its inputs.
        signature: What it gives.

    Raises:
        ModelError: When the file's operators do not hold the rules of ONNX.
    """
    names = Names(column.name for column in columns)
    front = AddedNodes(names)
    known = {each.name: _make_input(front, each, mapping, file.opset) for each in file.inputs}
    graph = rename(_only(file.proto.graph, mapping.output.tensor), known, names)
    behind = AddedNodes(names)
    behind.add_task_outputs(_make_scores(behind, graph.output[0].name, mapping), signature)
    complete = onnx.helper.make_graph(
        [*front.nodes, *graph.node, *behind.nodes],
        "model",
        make_inputs(columns),
        behind.outputs,
        initializer=[*front.constants, *graph.initializer, *behind.constants],
    )
    for node in complete.node:
        node.domain = "" if node.domain == "ai.onnx" else node.domain
    opsets = {"": _WITHOUT_OWN_OPERATORS} | file.opsets
    try:
        model = make_model(complete, opsets, max(file.proto.ir_version, _IR_WITH_CONSTANTS))
    except onnx.checker.ValidationError as error:
        message = f"does not hold the rules of ONNX: {(str(error).strip().splitlines() or ['?'])[0][:300]}"
        raise ModelError(
            message, where=file.name, remedy="export it again, with another release of the exporter"
        ) from error
    return bytes(model.SerializeToString(deterministic=True))


def _only(graph: onnx.GraphProto, tensor: str) -> onnx.GraphProto:
    """Return a copy of a graph that gives one of its values alone, without what that does not need."""
    needed, kept = {tensor}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed |= names_taken(node)
    copy = onnx.GraphProto()
    copy.node.extend(reversed(kept))
    copy.initializer.extend(each for each in graph.initializer if each.name in needed)
    copy.input.extend(graph.input)
    copy.output.add(name=tensor)
    return copy


def _make_input(front: AddedNodes, each: FileInput, mapping: Mapping, opset: int) -> str:
    """Add what makes one input of its columns; returns the name of the value."""
    parts = []
    for column in mapping.columns.by_input[each.name]:
        value, kind = column.name, column.dtype
        if column.name in mapping.columns.missing and kind == "float32":
            filling = front.constant(np.array(mapping.columns.missing[column.name], np.float32))
            value = front.node("Where", front.node("IsNaN", value), filling, value)
        if each.kind == "int32" and kind == "int64" and opset >= _CLIPS_WHOLE:
            limits = np.iinfo(np.int32)  # a cast would turn 2**31 into a negative number
            bounds = [front.constant(np.array(limit, np.int64)) for limit in (limits.min, limits.max)]
            value = front.node("Clip", value, *bounds)
        if kind != each.kind:
            value = front.node("Cast", value, to=_TYPES[each.kind])
        parts.append(value)
    joined = parts[0] if len(parts) == 1 else front.node("Concat", *parts, axis=1)
    return joined if each.rank == 2 else front.node("Reshape", joined, front.constant(np.array([-1], np.int64)))


def _make_scores(behind: AddedNodes, value: str, mapping: Mapping) -> str:
    """Add what makes the task's scores, float32 [rows, classes] or [rows, 1], of the file's output."""
    if mapping.output.kind != "float32":
        value = behind.node("Cast", value, to=TensorProto.FLOAT)
    value = behind.node("Reshape", value, behind.constant(np.array([-1, mapping.output.width], np.int64)))
    if mapping.activation:
        attributes: dict[str, Any] = {"axis": 1} if mapping.activation == "softmax" else {}
        value = behind.node(mapping.activation.capitalize(), value, **attributes)
    if not mapping.classes:
        return value
    if mapping.output.width == 1:
        other = behind.node("Sub", behind.constant(np.array(1, np.float32)), value)
        value = behind.node("Concat", other, value, axis=1)
    if mapping.order == list(range(len(mapping.order))):
        return value
    return behind.node("Gather", value, behind.constant(np.array(mapping.order, np.int64)), axis=1)
