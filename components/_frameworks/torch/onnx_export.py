"""Export a module to ONNX by PyTorch's TorchScript exporter: raw columns or transformed features in, the task's outputs out.

The exporter follows one call of the module, so a branch on the values of rows becomes that of this call. What it takes and gives is wrapped
around that: each feature is an input, and the outputs are those of the task.
"""

from __future__ import annotations

import inspect
import io
import warnings
from typing import Any

import onnx
import torch
from onnx import helper
from torch import nn

from components._core.errors import UserCodeError
from components._core.stage.user_code import own_frames
from components._core.types.signature import Signature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import Arrays, ModelCode
from components._frameworks.onnx_models.onnx_names import Names, names_taken, rename
from components._frameworks.onnx_models.task_outputs import AddedNodes, make_inputs, make_model
from components._frameworks.torch.losses import activate
from components._frameworks.torch.tensors import as_tensor, is_index
from components._frameworks.transformed_rows import Column

_OPSET = 17
"""Version of ONNX's operators: the latest that all releases of the TorchScript exporter since PyTorch 1.13 write."""
_EXPORTER_ERROR = getattr(torch.onnx, "OnnxExporterError", None) or torch.onnx.errors.OnnxExporterError
_TRACED_ROWS = 2
_SCORES = "scores"


class _Scores(nn.Module):
    """The scores of a module, of arrays as the server has them.

    Args:
        module: The module.
        columns: The features.
        task: The project's task.
        units: Numbers that the module gives per row.
    """

    def __init__(self, module: nn.Module, columns: tuple[Column, ...], task: Task, units: int) -> None:
        super().__init__()
        self._module, self._columns, self._task, self._units = module, columns, task, units

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Return probabilities [rows, classes] or predictions [rows, 1] of tensors [rows, 1] or [rows, k]."""
        inputs = {
            column.name: tensor[:, 0] if is_index(column) else tensor
            for column, tensor in zip(self._columns, tensors, strict=True)
        }
        scores = activate(self._task, self._module(inputs).float().reshape(-1, self._units))
        if self._task.has_classes and not self._task.scores_by_class:
            return torch.cat([1.0 - scores, scores], dim=1)
        return scores


def export_module(
    module: nn.Module, columns: tuple[Column, ...], rows: Arrays, task: Task, classes: list[str], code: ModelCode
) -> onnx.ModelProto:
    """Export a module as it is, in the mode of evaluation; the inputs are called by the number of their column.

    Args:
        module: The module, on the CPU.
        columns: The features.
        rows: Some rows.
        task: The project's task.
        classes: The label's classes.
        code: Where it comes from, for messages.

    Raises:
        UserCodeError: When ONNX lacks an operation of the module.
    """
    whole = _Scores(module, columns, task, task.units(classes)).eval()
    tensors = [as_tensor(rows[column.name][:_TRACED_ROWS]) for column in columns]
    shaped = tuple(tensor if tensor.ndim == 2 else tensor[:, None] for tensor in tensors)
    names = [_input_name(number) for number in range(len(columns))]
    options: dict[str, Any] = {
        "input_names": names,
        "output_names": [_SCORES],
        "dynamic_axes": {name: {0: "rows"} for name in (*names, _SCORES)},
        "opset_version": _OPSET,
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # the other exporter needs onnxscript, which the ONNX of TensorFlow 2.16 excludes
    content = io.BytesIO()
    with own_frames(code.folder, "exporting the module of build_model to ONNX"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that the exporter takes for constants: parity is what is held
        try:
            torch.onnx.export(whole, shaped, content, **options)
        except _EXPORTER_ERROR as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            message = f"the module of build_model cannot be exported to ONNX: {first}"
            remedy = "use operations that PyTorch's TorchScript exporter knows"
            raise UserCodeError(message, where=code.file, remedy=remedy) from error
    return onnx.load_model_from_string(content.getvalue())


def find_unused(exported: onnx.ModelProto, columns: tuple[Column, ...]) -> list[str]:
    """Return the features from which the scores of an exported module cannot be reached, in their order."""
    reached = {output.name for output in exported.graph.output}
    for node in reversed(exported.graph.node):  # a node comes after those that it needs
        if not reached.isdisjoint(node.output):
            reached.update(names_taken(node))
    return [column.name for number, column in enumerate(columns) if _input_name(number) not in reached]


def assemble(exported: onnx.ModelProto, columns: tuple[Column, ...], signature: Signature) -> onnx.ModelProto:
    """Build the model of an exported module: an input for each feature, used or not, and the task's outputs.

    Equal modules give equal models.

    Args:
        exported: What `export_module` has returned.
        columns: The features.
        signature: What the model takes and gives.
    """
    names = Names(column.name for column in columns)
    known = {_input_name(number): column.name for number, column in enumerate(columns)}
    graph = rename(exported.graph, known, names)
    behind = AddedNodes(names)
    behind.add_task_outputs(graph.output[0].name, signature)
    complete = helper.make_graph(
        [*graph.node, *behind.nodes],
        "module",
        make_inputs(columns),
        behind.outputs,
        initializer=[*graph.initializer, *behind.constants],
    )
    opsets = {opset.domain: opset.version for opset in exported.opset_import}
    return make_model(complete, opsets, exported.ir_version)


def _input_name(number: int) -> str:
    return f"naru_input_{number}"
