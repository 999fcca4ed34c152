"""Convert boosted trees, and the columns in front of them, to ONNX: registered with skl2onnx as its own converters are.

A split by categories is a chain of comparisons with the same next node, which onnxruntime makes few tests of. Thresholds are rounded down
to float32: a float32 value is at most the rounded one exactly if it is at most the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from components._frameworks.sklearn.boosted_trees import (
    BoostedTrees,
    Node,
    Reader,
    Tree,
    read_trees,
    register_reader,
)
from components._frameworks.sklearn.conversion_nodes import ML, add_node, add_text_encoder
from components._frameworks.sklearn.early_stopping import register_stopping
from components._frameworks.sklearn.hist_gradient_boosting import STOPPING, read_hist_gradient_boosting
from components._frameworks.sklearn.native_columns import NativeColumns

_ML_VERSION = 3
_AT_MOST = "BRANCH_LEQ"
_BLOCK = 32
_LARGEST_CATEGORY = 100_000
_CLASSIFIER_OPTIONS = {"zipmap": [True, False, "columns"], "raw_scores": [False]}


class _Written(NamedTuple):
    """A node of the operator; one of a split by categories has the split's node, too."""

    number: int
    node: Node
    column: int
    mode: str
    value: float
    left: int
    right: int


class _Blocks:
    """Copies of columns from which a multiple of 32 was taken.

    onnxruntime makes one test of a chain of comparisons of a column with numbers from 1 to 32. So categories are compared in a
    copy of their column in which they are such numbers.

    Args:
        width: Number of the columns themselves.

    Attributes:
        columns: Index of each copy in the matrix, by its column and the block of numbers that it is for.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.columns: dict[tuple[int, int], int] = {}

    def place(self, column: int, category: float) -> tuple[int, float]:
        """Return the column in which a category is compared, and with what."""
        if category != int(category) or abs(category) > _LARGEST_CATEGORY:
            return column, category
        block = int(category) // _BLOCK
        copy = self.columns.setdefault((column, block), self._width + len(self.columns))
        return copy, category - _BLOCK * block + 1


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
            value = add_text_encoder(scope, container, value, given.type, columns.categories_[name])
        if double:
            value = add_node(scope, container, "Cast", [value], to=TensorProto.DOUBLE)
        made.append(value)
    container.add_node(
        "Concat", made, operator.outputs[0].full_name, name=scope.get_unique_operator_name("Concat"), axis=1
    )


def _convert_trees(scope: Any, operator: Any, container: Any) -> None:
    estimator = operator.raw_operator
    (given,) = operator.inputs
    value, double = given.full_name, isinstance(given.type, DoubleTensorType)
    if not isinstance(given.type, FloatTensorType | DoubleTensorType):
        value = add_node(scope, container, "Cast", [value], to=TensorProto.FLOAT)
    trees = read_trees(estimator)
    blocks = _Blocks(trees.columns)
    attributes = _attributes(trees, blocks, double=double)
    if blocks.columns:
        value = _add_blocks(scope, container, value, blocks, double=double)
    raw = add_node(
        scope,
        container,
        "TreeEnsembleRegressor",
        [value],
        op_domain=ML,
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


def _add_blocks(scope: Any, container: Any, matrix: str, blocks: _Blocks, *, double: bool) -> str:
    """Add the columns of the blocks behind those of a matrix."""
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    of, offsets = (scope.get_unique_variable_name(name) for name in ("columns", "offsets"))
    places = list(blocks.columns)
    container.add_initializer(of, TensorProto.INT64, [len(places)], [column for column, _ in places])
    container.add_initializer(offsets, kind, [len(places)], [float(_BLOCK * block - 1) for _, block in places])
    taken = add_node(scope, container, "Gather", [matrix, of], axis=1)
    return add_node(scope, container, "Concat", [matrix, add_node(scope, container, "Sub", [taken, offsets])], axis=1)


def _add_link(scope: Any, container: Any, raw: str, link: str) -> str:
    if link == "identity":
        return raw
    if link == "exp":
        return add_node(scope, container, "Exp", [raw])
    if link == "softmax":
        return add_node(scope, container, "Softmax", [raw], axis=1)
    positive = add_node(scope, container, "Sigmoid", [raw])
    negative = add_node(scope, container, "Sigmoid", [add_node(scope, container, "Neg", [raw])])
    return add_node(scope, container, "Concat", [negative, positive], axis=1)


def _attributes(trees: BoostedTrees, blocks: _Blocks, *, double: bool) -> dict[str, Any]:
    """Return the attributes of TreeEnsembleRegressor; `blocks` gets the columns that they need besides."""
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()
        )
    }
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree_id, tree in enumerate(trees.trees):
        for written in _written(tree, blocks):
            node = written.node
            tracks = int(node.missing_left and node.categories is None)
            row = (
                tree_id,
                written.number,
                written.column,
                written.mode,
                written.value,
                written.left,
                written.right,
                tracks,
            )
            for column, cell in zip(nodes.values(), row, strict=True):
                column.append(cell)
            if node.is_leaf:
                for column, cell in zip(
                    leaves.values(), (tree_id, written.number, tree.target, node.value), strict=True
                ):
                    column.append(cell)
    reals = {
        "nodes_values": nodes.pop("values"),
        "target_weights": leaves.pop("weights"),
        "base_values": list(trees.base),
    }
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
        "n_targets": len(trees.base),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _tensor(name: str, values: list[float]) -> Any:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)


def _written(tree: Tree, blocks: _Blocks) -> Iterator[_Written]:
    """Yield what is written of a tree; a split by categories takes several nodes."""
    following = len(tree.nodes)
    for number, node in enumerate(tree.nodes):
        if node.is_leaf:
            yield _Written(number, node, node.column, "LEAF", 0.0, 0, 0)
        elif node.categories is None:
            yield _Written(number, node, node.column, _AT_MOST, node.threshold, node.left, node.right)
        else:
            compared = [blocks.place(node.column, category) for category in sorted(node.categories)]
            missing = node.left if node.missing_left else node.right
            if node.missing_left or not compared:  # any number is at most infinity, and what is missing is not
                start = following if compared else node.right
                yield _Written(number, node, node.column, _AT_MOST, math.inf, start, missing)
                number, following = following, following + 1
            for place, (column, category) in enumerate(compared, 1):
                other = node.right if place == len(compared) else following
                yield _Written(number, node, column, "BRANCH_EQ", category, node.left, other)
                number, following = following, following + (place < len(compared))


def _at_most(value: float) -> np.float32:
    """Return the largest float32 that is not above a value."""
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    return rounded if float(rounded) <= value else np.nextafter(rounded, np.float32(-np.inf))


for _kind in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
    register_stopping(_kind, STOPPING)
register_boosted(HistGradientBoostingClassifier, read_hist_gradient_boosting, classifier=True)
register_boosted(HistGradientBoostingRegressor, read_hist_gradient_boosting, classifier=False)
update_registered_converter(NativeColumns, "NaruNativeColumns", _shapes_of_columns, _convert_columns)
