"""A SavedModel as one graph without variables, cut into what prepares the columns and what calculates the scores.

The cut goes by the operators, not by where a preprocessing_fn ends: tables, texts and hashes are before it, and behind it is arithmetic alone,
some of the preprocessing_fn's often included. TensorFlow can compile that part (XLA), and it can be converted to ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from components._core.errors import ModelError
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.saved_models.canonical import make_canonical
from components._frameworks.saved_models.saved_graph import check_saved_model
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.saved_models.tensorflow_errors import report_full_disk

_REFUSING = frozenset({"Assert", "CheckNumerics", "CheckNumericsV2"})
_ARITHMETIC = frozenset({"bool", "float32", "float64", "int32", "int64"})


@dataclass(frozen=True)
class FrozenGraph:
    """The serving function of a SavedModel, its variables as constants and its functions inlined.

    Attributes:
        restored: The SavedModel, whose tables the function reads.
        graph: The function; it takes the raw columns, called as in the signature, and the handles of tables.
        handles: Handle of each table by the tensor's name in the function.
        score: The tensor with the scores.
        border: Tensors that the arithmetic takes, in the order of their names: raw columns, and what tables and texts give.
    """

    restored: Any
    graph: tf.compat.v1.GraphDef
    handles: dict[str, Any]
    score: tf.Tensor
    border: tuple[tf.Tensor, ...]

    def front(self, columns: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Calculate the border; called while a function is traced.

        Args:
            columns: The raw columns by their name in the SavedModel.
        """
        made = [tensor.name for tensor in self.border if not _is_column(tensor)]
        inside = tf.compat.v1.get_default_graph()
        feeds = {f"{name}:0": tensor for name, tensor in columns.items()}
        feeds |= {name: inside.capture(handle) for name, handle in self.handles.items()}
        calculated = iter(_calculate(self.graph, feeds, made))
        return [columns[tensor.op.name] if _is_column(tensor) else next(calculated) for tensor in self.border]

    def back(self, *border: tf.Tensor) -> tf.Tensor:
        """Calculate the scores from the border; called while a function is traced."""
        feeds = {tensor.name: given for tensor, given in zip(self.border, border, strict=True)}
        return _calculate(self.graph, feeds, [self.score.name])[0]


class Tables(tf.Module):
    """What is saved beside a function that reads the tables of a model: these, and no weights."""

    def __init__(self, restored: Any) -> None:
        super().__init__()
        self.transform = getattr(restored, "transform", None)
        below = tf.train.TrackableView(restored).descendants()
        self.tables = [part for part in below if isinstance(part, tf.saved_model.experimental.TrackableResource)]
        self.assets = [part for part in below if isinstance(part, tf.saved_model.Asset)]


def freeze(signature: Signature, model: Path) -> FrozenGraph:
    """Read the SavedModel of an artifact as one graph.

    Args:
        signature: The model's signature.
        model: The artifact.

    Raises:
        ModelError: When it refuses values while it runs: nothing depends on that, so a variant would leave it out.
    """
    restored = tf.saved_model.load(str(model / SAVED_MODEL))
    served = restored.signatures[SERVING]
    function = convert_variables_to_constants_v2(served, lower_control_flow=False, aggressive_inlining=True)
    definition = function.graph.as_graph_def()
    operators = [node.op for part in (definition, *definition.library.function) for node in _nodes(part)]
    if refusing := sorted(_REFUSING.intersection(operators)):
        raise ModelError(
            f"it refuses values while it runs ({', '.join(refusing)}, as of tf.debugging), which a variant would leave out"
        )
    # nested structures are flattened in the order of their keys
    outputs = dict(zip(sorted(served.structured_outputs), function.outputs, strict=True))
    known = {tensor.name for tensor in function.inputs}
    handles = {inner.name: outer for outer, inner in served.graph.captures if inner.name in known}
    score = outputs[TASKS[signature.task].score]
    return FrozenGraph(restored, definition, handles, score, _border(score))


def serving_specs(signature: Signature) -> dict[str, tf.TensorSpec]:
    """Return what a serving function takes, by the name in the SavedModel and in the order of the signature."""
    names = tensor_names(signature.inputs)
    return {
        names[each.name]: tf.TensorSpec([None], each.type.tensorflow, names[each.name]) for each in signature.inputs
    }


def answers(signature: Signature, scores: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the outputs of the task by name: the scores, and the text of the class with the greatest one."""
    task, classes = TASKS[signature.task], tf.constant(list(signature.classes), tf.string)
    scores.set_shape([None, len(signature.classes)] if task.scores_by_class else [None])  # inlining forgets shapes
    found = {}
    for output in task.outputs:
        is_text = FEATURE_TYPES[output.dtype].is_text
        found[output.name] = tf.gather(classes, tf.argmax(scores, axis=-1)) if is_text else tf.identity(scores)
    return found


def save_function(
    serve: Callable[..., dict[str, tf.Tensor]], specs: dict[str, tf.TensorSpec], frozen: FrozenGraph, saved_model: Path
) -> None:
    """Save a function that reads the tables of a frozen graph; equal functions give equal bytes.

    Raises:
        ModelError: When it reads a resource that is not a table.
        NaruError: When the disk is full.
    """
    function = tf.function(serve, autograph=False).get_concrete_function(**specs)
    with report_full_disk("writing a variant of the model"):
        try:
            tf.saved_model.save(Tables(frozen.restored), str(saved_model), signatures={SERVING: function})
        except AssertionError as error:
            raise ModelError("it uses a resource that is not a table, which cannot be saved apart") from error
        make_canonical(saved_model)
    check_saved_model(saved_model)


def _calculate(graph: tf.compat.v1.GraphDef, feeds: dict[str, tf.Tensor], wanted: list[str]) -> list[tf.Tensor]:
    """Put the part of a graph that calculates some tensors into the function that is traced.

    Without the order of operations that inlining noted: it ties arithmetic to columns that it does not take.
    """
    if not wanted:
        return []
    nodes = {node.name: node for node in graph.node}
    part = tf.compat.v1.GraphDef(library=graph.library, versions=graph.versions)
    seen, waiting = set(), [_node(name) for name in wanted]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        node = part.node.add()
        node.CopyFrom(nodes[name])
        node.input[:] = [each for each in node.input if not each.startswith("^")]
        waiting += [_node(each) for each in node.input if _tensor(each) not in feeds]
    taken = {_tensor(each) for node in part.node for each in node.input}
    used = {name: tensor for name, tensor in feeds.items() if name in taken}
    found: list[tf.Tensor] = tf.graph_util.import_graph_def(part, input_map=used, return_elements=wanted, name="part")
    return found


def _nodes(part: Any) -> Any:
    """Return the nodes of a graph, or of a function in its library."""
    return part.node_def if hasattr(part, "node_def") else part.node


def _node(tensor: str) -> str:
    return tensor.partition(":")[0]


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _is_column(tensor: tf.Tensor) -> bool:
    return bool(tensor.op.type == "Placeholder")


def _border(score: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Find the tensors at which arithmetic alone begins, going back from the scores."""
    needed = _before([score.op])
    others = [operation for operation in needed.values() if not _is_arithmetic(operation)]
    while True:
        prepares = _before(others)
        taken = {
            tensor.name: (tensor, operation)
            for name, operation in needed.items()
            if name not in prepares
            for tensor in operation.inputs
            if tensor.op.name in prepares or _is_column(tensor)
        }
        moved = [operation for tensor, operation in taken.values() if not _has_rows(tensor)]
        if not moved:
            break
        others += moved  # what goes by the size of a table, or the shape of a text, is part of preparing the columns
    found = {name: tensor for name, (tensor, _) in taken.items()}
    if score.op.name in prepares:  # a model that ends in a table
        found = {score.name: score}
    return tuple(found[name] for name in sorted(found))


def _has_rows(tensor: tf.Tensor) -> bool:
    """Whether a tensor may have an entry for each row, as far as its shape is known."""
    return bool(tensor.shape.rank is None or (tensor.shape.rank > 0 and tensor.shape[0] is None))


def _before(last: Sequence[Any]) -> dict[str, Any]:
    """Return some operations and all that they go by, by name."""
    found, waiting = {}, list(last)
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting += [tensor.op for tensor in operation.inputs]
    return found


def _is_arithmetic(operation: Any) -> bool:
    """Whether all that an operation takes and gives are numbers."""
    return all(tensor.dtype.name in _ARITHMETIC for tensor in (*operation.inputs, *operation.outputs))
