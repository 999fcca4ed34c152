"""Graph analysis: which inputs can reach the outputs at all, for any data.

The saved graph is walked backwards from its outputs, into and out of the functions that it calls. Where it branches,
both branches count. An input that is not reached cannot change a prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from components._core.errors import ModelError
from components._core.types.signature import Signature
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def inputs_that_reach(saved_model: Path, signature: Signature) -> frozenset[str]:
    """Return the features from which any output can be reached.

    Args:
        saved_model: Folder of the SavedModel.
        signature: What the model takes and gives.

    Raises:
        ModelError: When it has no readable serving graph.
    """
    path = saved_model / "saved_model.pb"
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
        graph = saved.meta_graphs[0]
        serving = graph.signature_def[SERVING]
    except (OSError, DecodeError, IndexError, KeyError) as error:
        raise ModelError(f"is not a saved model: {error}", where=str(path), remedy="train the model again") from error
    walk = GraphWalk({function.signature.name: function for function in graph.graph_def.library.function})
    nodes = {node.name: node for node in graph.graph_def.node}
    reached = walk.reach(nodes, [output.name for output in serving.outputs.values()], lambda name: False)
    tensors = {name for name, value in serving.inputs.items() if value.name.split(":")[0] in reached}
    named = tensor_names(signature.inputs)
    return frozenset(feature for feature, tensor in named.items() if tensor in tensors)


class GraphWalk:
    """Walks graph and functions; remembers what each function's outputs need."""

    def __init__(self, library: dict[str, Any]) -> None:
        self._library = library
        self._needed = cache(self._arguments)

    def reach(self, nodes: dict[str, Any], outputs: list[str], is_argument: Callable[[str], bool]) -> set[str]:
        """Return the names of all nodes and arguments from which the outputs can be reached."""
        left, done, reached = list(outputs), set[tuple[str, int]](), set[str]()
        while left:
            name, place = _reference(left.pop())
            reached.add(name)
            node = nodes.get(name)
            if is_argument(name) or node is None:
                continue
            # only calls differ by output; of any other node every output needs every input
            key = (name, place if node.op in _CALLS else 0)
            if key not in done:
                done.add(key)
                left += self._inputs(node, place)
        return reached

    def _inputs(self, node: Any, place: int) -> list[str]:
        data = [name for name in node.input if not name.startswith("^")]
        if node.op not in _CALLS or node.attr["f"].func.name not in self._library:
            return data
        needed = self._needed(node.attr["f"].func.name, place)
        return [name for number, name in enumerate(data) if number in needed]

    def _arguments(self, function: str, place: int) -> frozenset[int]:
        """Return the indices of the arguments that one output of a function needs."""
        definition = self._library[function]
        arguments = [argument.name for argument in definition.signature.input_arg]
        output = definition.ret[definition.signature.output_arg[place].name]
        nodes = {node.name: node for node in definition.node_def}
        reached = self.reach(nodes, [output], lambda name: name in arguments)
        return frozenset(number for number, name in enumerate(arguments) if name in reached)


def _reference(name: str) -> tuple[str, int]:
    """Parse node and output number of `node`, `node:1` (in a graph) or `node:output:1` (in a function)."""
    node, *rest = name.split(":")
    return node, int(rest[-1]) if rest else 0
