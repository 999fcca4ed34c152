"""The arithmetic of a frozen graph as an ONNX model, and what prepares its columns in front of it.

tf2onnx, which converts whole SavedModels, is not among the packages of Naru: it cannot convert hashes and texts, which are here in front anyway,
and the arithmetic of a network is some forty operators (`onnx_operators.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper

from components._core.errors import ModelError
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Array, Arrays
from components._frameworks.feature_arrays import take_feature
from components._frameworks.keras.frozen_graph import FrozenGraph, save_function, serving_specs
from components._frameworks.keras.onnx_operators import BORDER_TYPES, convert_operations
from components._frameworks.onnx_models.artifact import write_artifact
from components._frameworks.onnx_models.onnx_names import Names
from components._frameworks.onnx_models.onnx_variants import vary
from components._frameworks.onnx_models.task_outputs import TENSOR_TYPES, AddedNodes, make_model
from components._frameworks.saved_models.session import open_callable

_OPSETS = {"": 17}
_IR_VERSION = 8


def write_onnx_form(name: str, frozen: FrozenGraph, signature: Signature, folder: Path, rows: Arrays) -> None:
    """Write the ONNX form of a model as an artifact of the framework `onnx`.

    Args:
        name: `onnx`, or `float16` or `int8` of it.
        frozen: The model's graph.
        signature: The model's signature.
        folder: An empty folder.
        rows: Training rows, as `Model.predict` takes them.

    Raises:
        ModelError: When an operator has no form in ONNX, or nothing can be made float16 or int8.
    """
    is_whole = all(tensor.op.type == "Placeholder" for tensor in frozen.border)
    if is_whole:
        columns = [take_feature(each.name, each.type, rows) for each in signature.inputs]
    else:
        columns = _write_front(frozen, signature, folder / SAVED_MODEL, rows)
    graph = _convert(frozen, signature, columns, is_whole=is_whole)
    names = [each.name for each in graph.graph.input]
    shaped = [values if values.ndim == 2 else values[:, None] for values in columns]
    content = (
        graph.SerializeToString(deterministic=True)
        if name == "onnx"
        else vary(name, graph, lambda: dict(zip(names, shaped, strict=True)))
    )
    write_artifact(folder, content, replace(signature, framework="onnx"), (), None)


def _convert(frozen: FrozenGraph, signature: Signature, columns: list[Array], *, is_whole: bool) -> onnx.ModelProto:
    """Convert what is behind the border.

    Args:
        frozen: The graph.
        signature: What the model takes and gives.
        columns: What the ONNX graph takes, for some rows: the raw columns, or the border.
        is_whole: Whether it takes the raw columns, in the order of the signature, also those that nothing goes by.
    """
    names = Names(())
    added = AddedNodes(names)
    if is_whole:
        border = {tensor.op.name: tensor.name for tensor in frozen.border}
        tensors = [border.get(name, "") for name in serving_specs(signature)]
        kinds = [TENSOR_TYPES[each.dtype] for each in signature.inputs]
    else:
        tensors = [tensor.name for tensor in frozen.border]
        kinds = [BORDER_TYPES[tensor.dtype.name] for tensor in frozen.border]
    inputs, known = [], {}
    for place, (tensor, kind, values) in enumerate(zip(tensors, kinds, columns, strict=True)):
        if values.ndim not in (1, 2):
            raise ModelError(
                f"what prepares the columns gives a tensor of {values.ndim} dimensions, and not of one or two"
            )
        taken = names.take(f"in{place}")
        inputs.append(helper.make_tensor_value_info(taken, kind, [None, 1 if values.ndim == 1 else values.shape[1]]))
        if tensor:
            known[tensor] = _flatten(added, taken) if values.ndim == 1 else taken
    scores = convert_operations(frozen.score, known, added)
    _add_outputs(added, names, scores, signature)
    return make_model(
        helper.make_graph(added.nodes, "graph", inputs, added.outputs, added.constants), _OPSETS, _IR_VERSION
    )


def _flatten(added: AddedNodes, name: str) -> str:
    """A column comes as [rows, 1], and the graph takes it as [rows]."""
    return added.node("Reshape", name, added.constant(np.array([-1], np.int64)))


def _add_outputs(added: AddedNodes, names: Names, scores: str, signature: Signature) -> None:
    """Add the outputs of the task in the order of their names, which is how an ONNX model's are known."""
    for output in sorted(TASKS[signature.task].outputs, key=lambda output: output.name):
        name = names.take(output.name)
        if FEATURE_TYPES[output.dtype].is_text:
            best = added.node("ArgMax", scores, axis=-1, keepdims=0)
            added.node("Gather", added.constant(np.array(signature.classes, dtype=object)), best, output=name, axis=0)
        else:
            added.node("Identity", scores, output=name)
        shape = [None, len(signature.classes)] if output.by_class else [None]
        added.outputs.append(helper.make_tensor_value_info(name, TENSOR_TYPES[output.dtype], shape))


def _write_front(frozen: FrozenGraph, signature: Signature, saved_model: Path, rows: Arrays) -> list[Array]:
    """Write what calculates the border; returns the border of some rows."""

    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        made = frozen.front(tensors)
        return {f"feature_{place}": tf.identity(each) for place, each in enumerate(made)}

    save_function(serve, serving_specs(signature), frozen, saved_model)
    outputs = [f"feature_{place}" for place in range(len(frozen.border))]
    call = open_callable(signature.inputs, outputs, saved_model)
    return [
        np.asarray(values) for values in call(*(take_feature(each.name, each.type, rows) for each in signature.inputs))
    ]
