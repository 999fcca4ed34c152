"""What an ONNX file may hold: operators of ONNX itself, which only calculate, and no data outside of the file.

Operators of other domains are code that a runtime brings along, and tensors may name any file as the place of their data. Read without the
libraries of ONNX: register and `naru rollback` have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from components._core.errors import ModelError
from components._frameworks.protobuf_fields import Message

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_REMEDY = "serve only models that train has made; look at who may write to the store"

# numbers of the fields in onnx.proto
_GRAPH, _OPSETS, _METADATA, _TRAINING, _FUNCTIONS = 7, 8, 14, 20, 25  # of a model
_NODES, _INITIALIZERS, _SPARSE_INITIALIZERS = 1, 5, 15  # of a graph
_OPERATOR, _ATTRIBUTES, _DOMAIN = 4, 5, 7  # of a node
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE_TENSOR, _SPARSE_TENSORS = 5, 6, 10, 11, 22, 23  # of an attribute
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor


def check_onnx_file(file: Path) -> None:
    """Refuse an ONNX file that would do more than calculate.

    Raises:
        ModelError: When it has foreign operators or data in other files, or cannot be read.
    """
    try:
        found = next(_misuses(Message(file.read_bytes())), "")
    except (OSError, ValueError, IndexError, RecursionError) as error:
        message = f"does not load: {type(error).__name__}: {error}"
        raise ModelError(message, where=str(file), remedy="train the model again, without the cache") from error
    if found:
        raise ModelError(f"is not loaded: {found}", where=str(file), remedy=_REMEDY)


def _misuses(model: Message) -> Iterator[str]:
    if not model.contents(_GRAPH):
        raise ValueError("there is no graph in it")
    for opset in model.messages(_OPSETS):
        if opset.text(1) not in _DOMAINS:
            yield f"it imports operators of {opset.text(1)[:100]!r}"
    for field, what in (
        (_FUNCTIONS, "functions"),
        (_TRAINING, "training steps"),
        (_METADATA, "metadata for a runtime"),
    ):
        if model.contents(field):
            yield f"it has {what}, which train does not write"
    yield from _of_graph(model.message(_GRAPH))


def _of_graph(graph: Message) -> Iterator[str]:
    for tensor in graph.messages(_INITIALIZERS):
        yield from _of_tensor(tensor)
    for sparse in graph.messages(_SPARSE_INITIALIZERS):
        yield from _of_sparse_tensor(sparse)
    for node in graph.messages(_NODES):
        if node.text(_DOMAIN) not in _DOMAINS:
            yield f"its operator {node.text(_OPERATOR)[:100]} is one of {node.text(_DOMAIN)[:100]!r}, not of ONNX"
        for attribute in node.messages(_ATTRIBUTES):
            yield from _of_attribute(attribute)


def _of_attribute(attribute: Message) -> Iterator[str]:
    for tensor in (attribute.message(_TENSOR), *attribute.messages(_TENSORS)):
        yield from _of_tensor(tensor)
    for sparse in (attribute.message(_SPARSE_TENSOR), *attribute.messages(_SPARSE_TENSORS)):
        yield from _of_sparse_tensor(sparse)
    for graph in (attribute.message(_SUBGRAPH), *attribute.messages(_SUBGRAPHS)):
        yield from _of_graph(graph)


def _of_sparse_tensor(sparse: Message) -> Iterator[str]:
    for part in (1, 2):  # values and indices
        yield from _of_tensor(sparse.message(part))


def _of_tensor(tensor: Message) -> Iterator[str]:
    if tensor.contents(_EXTERNAL_DATA) or tensor.number(_DATA_LOCATION):
        yield "a tensor has its data in another file"
