"""Scales of the columns that a graph multiplies first, moved into its weights: int8 has one range for all columns of a row."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from components._frameworks.contract import Arrays
from components._frameworks.onnx_models.onnx_model import open_session
from components._frameworks.onnx_models.onnx_names import Names, names_taken

PRODUCTS = ("MatMul", "Gemm")
_APART = 10.0
"""How many times as large the largest column must be as the smallest one: below it a column loses three bits of eight at most, and a
multiplication for each call buys little."""

_ZERO = 1e-30
"""What is below it, whose inverse float32 may not hold, counts as zero."""


def scale_columns(model: onnx.ModelProto, feed: Arrays) -> frozenset[str]:
    """Divide the columns of a row by their largest values over training rows, and multiply the weights of the products that take them by the same.

    With one range for grams and millimetres the millimetres are all of them zero in int8. The result is the same but for rounding of float32 (Xiao et
    al., SmoothQuant, 2023, with alpha = 1). Only products that are behind no other one, have a constant matrix and take columns whose scales are apart.

    Args:
        model: The graph; it is changed.
        feed: Training rows as the graph takes them, by the names of its inputs.

    Returns:
        Names of the tensors with divided columns.
    """
    graph = model.graph
    weights = {each.name: each for each in graph.initializer}
    taking: dict[str, list[onnx.NodeProto]] = {}
    for node in _first_products(graph):
        weight = weights.get(node.input[1])
        if (
            node.input[0] not in weights
            and weight is not None
            and len(weight.dims) == 2
            and weight.data_type == onnx.TensorProto.FLOAT
        ):
            taking.setdefault(node.input[0], []).append(node)
    values = inner_values(model, list(taking), feed)
    names = Names(_names_of(graph))
    scaled = set()
    for taken, nodes in taking.items():
        scales = _find_scales(values[taken])
        if scales is not None:
            scaled.add(_scale(graph, taken, nodes, scales, names))
    return frozenset(scaled)


def inner_values(model: onnx.ModelProto, names: list[str], feed: Arrays) -> Arrays:
    """Calculate tensors of float32 inside of a graph.

    Args:
        model: The graph.
        names: Names of the tensors.
        feed: Rows as the graph takes them, by the names of its inputs.

    Returns:
        The tensors by name, and what was fed.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    inner = sorted({*names} - feed.keys())
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inner)
    found = open_session(probe.SerializeToString()).run(inner, feed) if inner else []
    return {**feed, **dict(zip(inner, found, strict=True))}


def _names_of(graph: onnx.GraphProto) -> set[str]:
    values = (*graph.input, *graph.initializer)
    return {each.name for each in values}.union(*(names_taken(node) | {*node.output} for node in graph.node))


def _first_products(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the products that go by no other one."""
    found, behind = [], set[str]()
    for node in graph.node:
        is_behind = not behind.isdisjoint(names_taken(node))
        if node.op_type in PRODUCTS and not is_behind:
            found.append(node)
        if node.op_type in PRODUCTS or is_behind:
            behind.update(node.output)
    return [node for node in found if not _attribute(node, "transA")]


def _find_scales(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return the largest absolute value of each column, shape [columns]; None where they are not apart. A column of zeros has the scale 1, too."""
    if values.ndim != 2 or not len(values):
        return None
    largest = np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=0)
    present = largest[largest > _ZERO]
    if not len(present) or present.max() <= _APART * present.min():
        return None
    return np.where(largest > _ZERO, largest, 1.0).astype(np.float32)


def _scale(
    graph: onnx.GraphProto, taken: str, nodes: list[onnx.NodeProto], scales: NDArray[np.float32], names: Names
) -> str:
    """Put one multiplication in front of products that take the same columns; returns the name of what it gives."""
    factors = (1.0 / scales.astype(np.float64)).astype(np.float32)
    factor, scaled = names.take(f"{taken} factors"), names.take(f"{taken} scaled")
    weights = {each.name: each for each in graph.initializer}
    place = next(number for number, node in enumerate(graph.node) if node in nodes)
    graph.initializer.append(numpy_helper.from_array(factors, factor))
    for node in nodes:
        matrix = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
        by_column = factors if _attribute(node, "transB") else factors[:, None]
        weight = names.take(f"{node.input[1]} scaled")
        graph.initializer.append(numpy_helper.from_array((matrix / by_column).astype(np.float32), weight))
        old, node.input[0], node.input[1] = node.input[1], scaled, weight
        if not any(old in names_taken(other) for other in graph.node):
            graph.initializer.remove(weights[old])
    graph.node.insert(place, onnx.helper.make_node("Mul", [taken, factor], [scaled]))
    return scaled


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((each.i for each in node.attribute if each.name == name), 0)
