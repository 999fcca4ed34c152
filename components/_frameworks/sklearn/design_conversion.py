"""Convert the design matrix to ONNX: registered with skl2onnx as its own converters are. It calculates in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType

from components._frameworks.sklearn.conversion_nodes import add_node, add_text_encoder
from components._frameworks.sklearn.design_matrix import MOST_DEVIATIONS, DesignMatrix


def _shapes(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, len(operator.raw_operator.owners_)])


class _Graph:
    """Adds nodes and constants."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.scope, self.container = scope, container

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return add_node(self.scope, self.container, operator, list(inputs), **attributes)

    def constant(self, values: Any, kind: int = TensorProto.DOUBLE) -> str:
        name: str = self.scope.get_unique_variable_name("constant")
        array = np.asarray(values)
        self.container.add_initializer(name, kind, list(array.shape), array.ravel().tolist())
        return name


def _convert(scope: Any, operator: Any, container: Any) -> None:
    matrix, graph = operator.raw_operator, _Graph(scope, container)
    given = dict(zip(matrix.names_, operator.inputs, strict=True))
    parts = _numbers(graph, matrix, [given[name].full_name for name in matrix.numbers_]) if matrix.numbers_ else []
    for name, known in matrix.categories_.items():
        if not known and matrix.scaled:
            continue
        rank = add_text_encoder(scope, container, given[name].full_name, given[name].type, known)
        unknown = graph.node("IsNaN", rank)
        rank = graph.node("Where", unknown, graph.constant([[-1.0]], TensorProto.FLOAT), rank)
        if matrix.scaled:
            ranks = graph.constant(np.arange(len(known), dtype=np.float64)[None, :], TensorProto.FLOAT)
            rank = graph.node("Cast", graph.node("Equal", rank, ranks), to=TensorProto.FLOAT)
        parts.append(rank)
    output = operator.outputs[0].full_name
    container.add_node("Concat", parts, output, name=scope.get_unique_operator_name("Concat"), axis=1)


def _numbers(graph: _Graph, matrix: DesignMatrix, names: list[str]) -> list[str]:
    numbers = list(matrix.numbers_.values())
    values = graph.node("Concat", *(graph.node("Cast", name, to=TensorProto.DOUBLE) for name in names), axis=1)
    missing = graph.node("IsNaN", values)
    centre = graph.constant(_row(numbers, "centre"))
    shaped = graph.node("Where", missing, centre, values)
    if matrix.scaled:
        shaped = graph.node("Div", graph.node("Sub", shaped, centre), graph.constant(_row(numbers, "scale")))
        shaped = _bring_in(graph, shaped, _row(numbers, "has_long_tail"))
        shaped = graph.node("Sub", shaped, graph.constant(_row(numbers, "mean")))
        shaped = graph.node("Div", shaped, graph.constant(_row(numbers, "deviation")))
        most = graph.constant(MOST_DEVIATIONS)
        shaped = graph.node("Clip", shaped, graph.constant(-MOST_DEVIATIONS), most)
    parts = [graph.node("Cast", shaped, to=TensorProto.FLOAT)]
    places = [place for place, number in enumerate(numbers) if number.has_missing]
    if places:
        some = graph.node("Gather", missing, graph.constant(places, TensorProto.INT64), axis=1)
        parts.append(graph.node("Cast", some, to=TensorProto.FLOAT))
    return parts


def _bring_in(graph: _Graph, values: str, chosen: NDArray[np.float64]) -> str:
    if not chosen.any():
        return values
    size = graph.node("Log", graph.node("Add", graph.node("Abs", values), graph.constant(1.0)))
    brought = graph.node("Mul", graph.node("Sign", values), size)
    mask = graph.node("Cast", graph.constant(chosen.astype(np.float64)), to=TensorProto.BOOL)
    return graph.node("Where", mask, brought, values)


def _row(numbers: list[Any], name: str) -> NDArray[np.float64]:
    return np.array([[float(getattr(number, name)) for number in numbers]])


update_registered_converter(DesignMatrix, "NaruDesignMatrix", _shapes, _convert)
