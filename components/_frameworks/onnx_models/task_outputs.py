"""The task's outputs behind a graph that gives scores, whichever library made the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Output
from components._frameworks.onnx_models.onnx_names import Names
from components._frameworks.transformed_rows import Column

TENSOR_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}
"""Element type of an ONNX tensor by the name of a type in `feature_types.py`."""


class AddedNodes:
    """Nodes, constants and outputs that are added to a graph, under names that are free.

    Args:
        names: Gives the names.

    Attributes:
        nodes: The nodes, in the order of their calculation.
        constants: Their constants.
        outputs: Outputs of the graph.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

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

    def split(self, value: str, width: int) -> list[str]:
        """Add a node that makes `width` values [rows, 1] of one [rows, width]; returns their names."""
        parts = [self._names.next() for _ in range(width)]
        sizes = self.constant(np.ones(width, np.int64))
        self.nodes.append(helper.make_node("Split", [value, sizes], parts, axis=1))
        return parts

    def add_task_outputs(self, scores: str, signature: Signature) -> None:
        """Add the outputs of the signature's task, in the order of their names, which is how `OnnxModel` knows them.

        Args:
            scores: Name of the scores, float32: probabilities [rows, classes], or predictions [rows, 1].
            signature: What the model gives.
        """
        for output in sorted(TASKS[signature.task].outputs, key=lambda output: output.name):
            name = self._names.take(output.name)
            self._add_output(output, scores, signature, name)
            shape = [None, len(signature.classes)] if output.by_class else [None]
            self.outputs.append(helper.make_tensor_value_info(name, TENSOR_TYPES[output.dtype], shape))

    def _add_output(self, output: Output, scores: str, signature: Signature, name: str) -> None:
        """Add an output of the scores: themselves, the text of the class with the greatest one, or one number per row."""
        if output.by_class:
            self.node("Identity", scores, output=name)
        elif FEATURE_TYPES[output.dtype].is_text:
            best = self.node("ArgMax", scores, axis=1, keepdims=0)
            self.node("Gather", self.constant(np.array(signature.classes, dtype=object)), best, output=name, axis=0)
        else:
            positive = [len(signature.classes) - 1] if signature.classes else [0]
            column = self.node("Gather", scores, self.constant(np.array(positive, np.int64)), axis=1)
            self.node("Reshape", column, self.constant(np.array([-1], np.int64)), output=name)


def make_inputs(columns: Iterable[Column]) -> list[onnx.ValueInfoProto]:
    """Return the inputs of a graph that takes some columns: each [rows, 1], or [rows, k] for a vector."""
    return [
        helper.make_tensor_value_info(column.name, TENSOR_TYPES[column.dtype], [None, *(column.shape or (1,))])
        for column in columns
    ]


def make_model(graph: onnx.GraphProto, opsets: Mapping[str, int], ir_version: int) -> onnx.ModelProto:
    """Return a checked model of a graph; equal graphs give equal bytes.

    Args:
        graph: The graph; its nodes get names by their order.
        opsets: Version of the operators by their domain.
        ir_version: Version of the file's format.
    """
    for number, node in enumerate(graph.node):
        node.name = f"n{number}"
    imports = [helper.make_opsetid(domain, version) for domain, version in sorted(opsets.items())]
    model = helper.make_model(graph, opset_imports=imports, producer_name="naru", ir_version=ir_version)
    onnx.checker.check_model(model)
    return model
