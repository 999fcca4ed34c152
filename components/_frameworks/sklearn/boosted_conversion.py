"""Convert boosted trees, and the columns in front of them, to ONNX: registered with skl2onnx as its own converters are.

A split by categories is a chain of comparisons with the same next node, which onnxruntime makes one test of. Thresholds are rounded down
to float32: a float32 value is at most the rounded one exactly if it is at most the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from components._frameworks.sklearn.boosted_trees import Node, Reader, Tree, read_trees, register_reader
from components._frameworks.sklearn.hist_gradient_boosting import read_hist_gradient_boosting
from components._frameworks.sklearn.native_columns import NativeColumns

_ML, _ML_VERSION = "ai.onnx.ml", 3
_ENCODER_VERSION = 2
_CLASSIFIER_OPTIONS = {"zipmap": [True, False, "columns"], "raw_scores": [False]}


def register_boosted(estimator: type, reader: Reader, *, classifier: bool) -> None:
    """Let skl2onnx convert a class of boosted trees by what its reader reads.

    Args:
        estimator: The class.
        reader: Reads a fitted estimator of it.
        classifier: Whether it is a classifier.
    """
    register_reader(estimator, reader)
    shapes = _shapes_of_classifier if classifier else _shapes_of_regressor
    options = _CLASSIFIER_OPTIONS if classifier else None
    update_registered_converter(estimator, f"Naru{estimator.__name__}", shapes, _convert_trees, options=options)


def _shapes_of_classifier(operator: Any) -> None:
    operator.outputs[0].type = Int64TensorType([None])
    operator.outputs[1].type = FloatTensorType([None, len(operator.raw_operator.classes_)])


def _shapes_of_regressor(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, 1])


def _shapes_of_columns(operator: Any) -> None:
    kind = DoubleTensorType if _needs_double(operator) else FloatTensorType
    operator.outputs[0].type = kind([None, len(operator.inputs)])


def _needs_double(operator: Any) -> bool:
    """Whether a column has whole numbers that float32 would round; all others come as float32."""
    columns = operator.raw_operator
    return any(
        isinstance(given.type, Int64TensorType) and name not in columns.categories_
        for name, given in zip(columns.names_, operator.inputs, strict=True)
    )


def _convert_columns(scope: Any, operator: Any, container: Any) -> None:
    """Make one matrix [rows, columns] of the columns, texts as ranks of their categories and NaN for any other text."""
    columns, double = operator.raw_operator, _needs_double(operator)
    made = []
    for name, given in zip(columns.names_, operator.inputs, strict=True):
        value = given.full_name
        if name in columns.categories_:
            value = _encode(scope, container, value, given.type, columns.categories_[name])
        if double:
            value = _add(scope, container, "Cast", [value], to=TensorProto.DOUBLE)
        made.append(value)
    container.add_node(
        "Concat", made, operator.outputs[0].full_name, name=scope.get_unique_operator_name("Concat"), axis=1
    )


def _encode(scope: Any, container: Any, value: str, kind: Any, categories: list[Any]) -> str:
    keys: dict[str, list[Any]] = {"keys_strings": [str(each) for each in categories] or [""]}
    if not isinstance(kind, StringTensorType):
        value = _add(scope, container, "Cast", [value], to=TensorProto.INT64)
        keys = {"keys_int64s": [int(each) for each in categories] or [0]}
    ranks = [float(rank) for rank in range(len(categories))] or [float("nan")]
    attributes = {**keys, "values_floats": ranks, "default_float": float("nan")}
    return _add(scope, container, "LabelEncoder", [value], op_domain=_ML, op_version=_ENCODER_VERSION, **attributes)


def _convert_trees(scope: Any, operator: Any, container: Any) -> None:
    estimator = operator.raw_operator
    (given,) = operator.inputs
    value, double = given.full_name, isinstance(given.type, DoubleTensorType)
    if not isinstance(given.type, FloatTensorType | DoubleTensorType):
        value = _add(scope, container, "Cast", [value], to=TensorProto.FLOAT)
    trees = read_trees(estimator)
    attributes = _attributes(trees.trees, trees.base, double=double)
    raw = _add(
        scope,
        container,
        "TreeEnsembleRegressor",
        [value],
        op_domain=_ML,
        op_version=_ML_VERSION,
        **attributes,
    )
    answers = _add_link(scope, container, raw, trees.link)
    if not is_classifier(estimator):
        container.add_node(
            "Identity", answers, operator.outputs[0].full_name, name=scope.get_unique_operator_name("Identity")
        )
        return
    label, probabilities = (output.full_name for output in operator.outputs)
    container.add_node("ArgMax", answers, label, name=scope.get_unique_operator_name("ArgMax"), axis=1, keepdims=0)
    container.add_node("Identity", answers, probabilities, name=scope.get_unique_operator_name("Identity"))


def _add_link(scope: Any, container: Any, raw: str, link: str) -> str:
    if link == "identity":
        return raw
    if link == "exp":
        return _add(scope, container, "Exp", [raw])
    if link == "softmax":
        return _add(scope, container, "Softmax", [raw], axis=1)
    positive = _add(scope, container, "Sigmoid", [raw])
    negative = _add(scope, container, "Sigmoid", [_add(scope, container, "Neg", [raw])])
    return _add(scope, container, "Concat", [negative, positive], axis=1)


def _add(scope: Any, container: Any, operator: str, inputs: list[str], **attributes: Any) -> str:
    output: str = scope.get_unique_variable_name(operator.lower())
    container.add_node(operator, inputs, output, name=scope.get_unique_operator_name(operator), **attributes)
    return output


def _attributes(trees: tuple[Tree, ...], base: Any, *, double: bool) -> dict[str, Any]:
    """Return the attributes of TreeEnsembleRegressor."""
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()
        )
    }
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree_id, tree in enumerate(trees):
        for written in _written(tree):
            node_id, node, mode, value, left, right = written
            tracks = int(node.missing_left and mode == "BRANCH_LEQ" and node.categories is None)
            row = (tree_id, node_id, node.column, mode, value, left, right, tracks)
            for column, cell in zip(nodes.values(), row, strict=True):
                column.append(cell)
            if node.is_leaf:
                for column, cell in zip(leaves.values(), (tree_id, node_id, tree.target, node.value), strict=True):
                    column.append(cell)
    reals = {"nodes_values": nodes.pop("values"), "target_weights": leaves.pop("weights"), "base_values": list(base)}
    if double:
        made = {f"{name}_as_tensor": _tensor(name, values) for name, values in reals.items()}
    else:
        made = {
            name: [float(_at_most(value)) if name == "nodes_values" else float(np.float32(value)) for value in values]
            for name, values in reals.items()
        }
    return {
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"target_{name}": values for name, values in leaves.items()},
        **made,
        "n_targets": len(base),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _tensor(name: str, values: list[float]) -> Any:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)


def _written(tree: Tree) -> Iterator[tuple[int, Node, str, float, int, int]]:
    """Yield number, node, mode, value, and the numbers of the next nodes of what is written; a set of categories takes several."""
    following = len(tree.nodes)
    for number, node in enumerate(tree.nodes):
        if node.is_leaf:
            yield number, node, "LEAF", 0.0, 0, 0
        elif node.categories is None:
            yield number, node, "BRANCH_LEQ", node.threshold, node.left, node.right
        elif not node.categories:
            yield number, node, "BRANCH_LEQ", math.inf, node.right, node.left if node.missing_left else node.right
        else:
            if node.missing_left:  # any number is at most infinity, and what is missing is not
                yield number, node, "BRANCH_LEQ", math.inf, following, node.left
                number, following = following, following + 1
            for place, category in enumerate(node.categories):
                is_last = place == len(node.categories) - 1
                yield number, node, "BRANCH_EQ", category, node.left, node.right if is_last else following
                number, following = following, following + (not is_last)


def _at_most(value: float) -> np.float32:
    """Return the largest float32 that is not above a value."""
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    return rounded if float(rounded) <= value else np.nextafter(rounded, np.float32(-np.inf))


register_boosted(HistGradientBoostingClassifier, read_hist_gradient_boosting, classifier=True)
register_boosted(HistGradientBoostingRegressor, read_hist_gradient_boosting, classifier=False)
update_registered_converter(NativeColumns, "NaruNativeColumns", _shapes_of_columns, _convert_columns)
