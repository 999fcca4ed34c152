"""Nodes that several of our own converters to ONNX add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import TensorProto
from skl2onnx.common.data_types import StringTensorType

ML = "ai.onnx.ml"
_ENCODER_VERSION = 2


def add_node(scope: Any, container: Any, operator: str, inputs: list[str], **attributes: Any) -> str:
    """Add a node with one output; returns the name of the output."""
    output: str = scope.get_unique_variable_name(operator.lower())
    container.add_node(operator, inputs, output, name=scope.get_unique_operator_name(operator), **attributes)
    return output


def add_text_encoder(scope: Any, container: Any, value: str, kind: Any, categories: Sequence[Any]) -> str:
    """Add the ranks of texts or whole numbers in a list of categories, NaN for any other; returns the name of the output.

    Args:
        scope: Of skl2onnx.
        container: Of skl2onnx.
        value: Name of the column [rows, 1].
        kind: Its type.
        categories: The categories by rank.
    """
    keys: dict[str, list[Any]] = {"keys_strings": [str(each) for each in categories] or [""]}
    if not isinstance(kind, StringTensorType):
        value = add_node(scope, container, "Cast", [value], to=TensorProto.INT64)
        keys = {"keys_int64s": [int(each) for each in categories] or [0]}
    ranks = [float(rank) for rank in range(len(categories))] or [float("nan")]
    attributes = {**keys, "values_floats": ranks, "default_float": float("nan")}
    return add_node(scope, container, "LabelEncoder", [value], op_domain=ML, op_version=_ENCODER_VERSION, **attributes)
