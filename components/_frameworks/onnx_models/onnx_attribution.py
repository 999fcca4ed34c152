"""Divide the raw score of a row among the features by the last step of an ONNX model: paths of its trees, or coefficients.

* Trees: a node is worth the mean leaf of the background rows that pass it. Each split on the row's path adds the difference between the
  node that it leads to and the node itself; where no background row goes, the split that leaves them all adds the rest of the way.
  (Saabas, "Interpreting random forests", 2014; Lundberg et al., "From local explanations to global understanding", 2020, for what it
  misses: splits near the leaves get more credit than those near the root.)
* Linear models: the coefficient times the distance between the row's value and the mean of the background rows.

What the last step takes are columns that the steps before it made. A column belongs to the feature with which it changes; where a column
changes with several features, the structure does not say which of them did it. The answers of the graph itself check what was read from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from components._frameworks.contract import Arrays, StructureAttribution
from components._frameworks.onnx_models.activations import Array, sigmoid, softmax
from components._frameworks.onnx_models.onnx_model import open_session

Feed = Callable[[Arrays], Mapping[str, Array]]
"""Makes what the graph is fed with of some rows."""
Score = Callable[[Arrays], Array]
"""Scores rows with the whole model, [rows] or [rows, classes]."""

_TREES = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")
_LINEAR = ("LinearRegressor", "LinearClassifier")
_TOLERANCE = 1e-3
_SUM = "SUM"
_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal,
    "BRANCH_NEQ": np.not_equal,
}
_LEAF = "LEAF"


def attribute(
    content: bytes,
    feed: Feed,
    score_rows: Score,
    row: Arrays,
    background: Arrays,
    class_index: int | None,
    classes: int,
) -> StructureAttribution | None:
    """Divide the raw score of a row among its features.

    Args:
        content: The model as bytes.
        feed: Makes what its graph is fed with.
        score_rows: Scores rows with it.
        row: One row, [1] by feature.
        background: The rows that it is compared with, [rows] by feature.
        class_index: For a score by class, the class whose score is divided; None otherwise.
        classes: Number of classes of the label; 0 without classes.

    Returns:
        None when the last step is neither trees nor linear, its classes are not those of the score in their order, or a column of it is
        made of several features.
    """
    step = _open_last_step(content)
    if step is None:
        return None
    fed = feed(row), feed(background)
    own, others = map(step.columns, fed)
    target = _choose_target(step.targets, class_index, classes)
    if target is None or not all(map(step.is_understood, (own, others), fed)):
        return None
    if not _rank_alike(step.raw(others), score_rows(background)):
        return None
    owners = _find_owners(step, feed, row, background, own, others)
    if owners is None:
        return None
    parts = step.divide(own, others, target)
    values = {
        name: float(parts[[place for place, owner in owners.items() if owner == name]].sum()) for name in background
    }
    score, base = float(step.raw(own)[0, target]), float(step.raw(others)[:, target].mean())
    return StructureAttribution(step.method, values, score, base)


def _choose_target(targets: int, class_index: int | None, classes: int) -> int | None:
    """Return the index of the raw score behind the score that is explained; None when that is not clear."""
    if targets == 1 and class_index is None:
        return 0
    return (targets - 1 if class_index is None else class_index) if targets == classes else None


def _rank_alike(raw: Array, scores: Array) -> bool:
    """Whether scores grow with raw scores: over the rows, or over the classes of each row where the step has one for each class.

    A file from outside may have the label's classes in another order than the step, which nodes behind it put right.

    Args:
        raw: Raw scores, [rows, targets].
        scores: Scores of the same rows, [rows] or [rows, classes].
    """
    if raw.shape[1] == 1:
        raw, scores = raw.T, scores[None]
    elif scores.ndim == 1:
        scores = np.stack([1 - scores, scores], axis=1)
    ranked = np.take_along_axis(scores, np.argsort(raw, axis=1), axis=1)
    return bool((np.diff(ranked, axis=1) >= -_TOLERANCE * np.ptp(scores)).all())


def _find_owners(
    step: _LastStep, feed: Feed, row: Arrays, background: Arrays, own: Array, others: Array
) -> dict[int, str] | None:
    """Return the feature by the index of the column that changes with it; None when a column changes with several."""
    owners: dict[int, str] = {}
    for name, values in background.items():
        moved = {each: np.repeat(value, len(values), axis=0) for each, value in row.items()} | {name: values}
        back = {**background, name: np.repeat(row[name], len(values), axis=0)}
        changes = _differs(step.columns(feed(moved)), own) | _differs(step.columns(feed(back)), others)
        for place in np.flatnonzero(changes.any(axis=0)):
            if owners.setdefault(int(place), name) != name:
                return None
    return owners if set(np.flatnonzero(_differs(own, others).any(axis=0))) <= owners.keys() else None


def _differs(one: Array, other: Array) -> Array:
    differs: Array = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return differs


class _LastStep(ABC):
    """The last step of a graph, with a session that also gives what the step takes and answers.

    Args:
        model: The model.
        node: The step's node.
        targets: Number of raw scores of a row.
    """

    method = ""

    def __init__(self, model: onnx.ModelProto, node: onnx.NodeProto, targets: int) -> None:
        self.targets = targets
        self._link = _attributes(node).get("post_transform", "NONE")
        self._names = [node.input[0], node.output[-1]]
        known = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._names if name not in known)
        self._session = open_session(model.SerializeToString())

    def columns(self, fed: Mapping[str, Array]) -> Array:
        """Return what the step takes, [rows, columns]."""
        taken = np.asarray(self._session.run(self._names[:1], dict(fed))[0])
        return taken.reshape(len(taken), -1)

    def is_understood(self, columns: Array, fed: Mapping[str, Array]) -> bool:
        """Whether the raw scores that were read from the node give what the node itself answers."""
        answers = np.asarray(self._session.run(self._names[1:], dict(fed))[0], np.float64)
        expected = self._answer(self.raw(columns))
        if expected is None:
            return False
        answers = answers.reshape(len(answers), -1)[:, -expected.shape[1] :]
        return bool(np.allclose(answers, expected, rtol=_TOLERANCE, atol=_TOLERANCE))

    def _answer(self, raw: Array) -> Array | None:
        answer: Array | None = None
        if self._link == "NONE":
            answer = raw
        elif self._link == "LOGISTIC":
            answer = sigmoid(raw)
        elif self._link == "SOFTMAX":
            answer = softmax(raw)
        return answer

    @abstractmethod
    def raw(self, columns: Array) -> Array:
        """Return the raw scores of some rows, float64 [rows, targets]."""

    @abstractmethod
    def divide(self, own: Array, others: Array, target: int) -> Array:
        """Divide a raw score of a row [1, columns] among the columns, against other rows; float64 [columns]."""


class _Linear(_LastStep):
    method = "coefficients x values"

    def __init__(self, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        attributes = _attributes(node)
        intercepts = np.asarray(attributes.get("intercepts", [0.0]), np.float64)
        self._coefficients = np.asarray(attributes["coefficients"], np.float64).reshape(len(intercepts), -1)
        self._intercepts = intercepts
        super().__init__(model, node, len(intercepts))

    def raw(self, columns: Array) -> Array:
        scores: Array = columns.astype(np.float64) @ self._coefficients.T + self._intercepts
        return scores

    def divide(self, own: Array, others: Array, target: int) -> Array:
        distance: Array = own[0].astype(np.float64) - others.astype(np.float64).mean(axis=0)
        parts: Array = self._coefficients[target] * distance
        return parts


@dataclass(frozen=True)
class _Nodes:
    """The nodes of all trees; `yes` and `no` are indices of nodes, and lead from a leaf to itself."""

    roots: Array
    mode: Array
    column: Array
    threshold: Array
    yes: Array
    no: Array
    missing_yes: Array
    leaf: Array


class _Trees(_LastStep):
    method = "paths of the trees"

    def __init__(self, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        attributes = _attributes(node)
        kind = "class" if "class_ids" in attributes else "target"
        self._nodes, places = _read_nodes(attributes)
        ids = np.asarray(attributes[f"{kind}_ids"], np.int64)
        labels = attributes.get("classlabels_int64s") or attributes.get("classlabels_strings") or []
        targets = len(labels) if kind == "class" else int(attributes["n_targets"])
        if len(labels) == 2 and len(set(ids.tolist())) == 1:  # two classes, of which the leaves know one
            ids, targets = np.zeros_like(ids), 1
        weights = _reals(attributes, f"{kind}_weights")
        if attributes.get("aggregate_function", _SUM) == "AVERAGE":
            weights = weights / len(self._nodes.roots)
        self._weights = np.zeros((len(self._nodes.leaf), targets))
        at = [places[pair] for pair in zip(attributes[f"{kind}_treeids"], attributes[f"{kind}_nodeids"], strict=True)]
        np.add.at(self._weights, (np.array(at, np.int64), ids), weights)
        base = _reals(attributes, "base_values")
        self._base = np.broadcast_to(base if len(base) else np.zeros(1), (targets,)).astype(np.float64)
        super().__init__(model, node, targets)

    def raw(self, columns: Array) -> Array:
        *_, leaves = self._steps(columns)
        scores: Array = self._weights[leaves].sum(axis=1) + self._base
        return scores

    def divide(self, own: Array, others: Array, target: int) -> Array:
        worth = self._node_worth(others, target)
        steps = [at[0] for at in self._steps(own)]
        reached = self._weights[steps[-1], target]
        parts = np.zeros(own.shape[1])
        before = worth[steps[0]]
        for at, following in pairwise(steps):
            after = np.where(np.isnan(worth[following]), reached, worth[following])
            np.add.at(parts, self._nodes.column[at], np.where(at == following, 0.0, after - before))
            before = after
        return parts

    def _node_worth(self, rows: Array, target: int) -> Array:
        """Return the mean leaf of the rows that pass each node, [nodes]; NaN where none does."""
        steps = list(self._steps(rows))
        reached = self._weights[steps[-1], target].ravel()
        total, count = np.zeros(len(self._weights)), np.zeros(len(self._weights))
        for at in steps:
            total += np.bincount(at.ravel(), reached, len(total))
            count += np.bincount(at.ravel(), minlength=len(count))
        with np.errstate(invalid="ignore"):
            worth: Array = total / count
        return worth

    def _steps(self, columns: Array) -> Iterator[Array]:
        """Yield the node that each row has reached in each tree, [rows, trees], from the roots to the leaves."""
        nodes = self._nodes
        at = np.tile(nodes.roots, (len(columns), 1))
        yield at
        while not nodes.leaf[at].all():
            values = np.take_along_axis(columns, nodes.column[at], axis=1)
            is_yes = np.zeros(at.shape, dtype=bool)
            for number, compare in enumerate(_COMPARISONS.values()):
                is_yes |= (nodes.mode[at] == number) & compare(values, nodes.threshold[at].astype(columns.dtype))
            is_yes |= nodes.missing_yes[at] & np.isnan(values)
            at = np.where(is_yes, nodes.yes[at], nodes.no[at])
            yield at


def _read_nodes(attributes: dict[str, Any]) -> tuple[_Nodes, dict[tuple[int, int], int]]:
    """Return the nodes, and the index of each by the numbers of its tree and its own."""
    trees, numbers = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    places = {pair: place for place, pair in enumerate(zip(trees, numbers, strict=True))}
    modes = [mode.decode() if isinstance(mode, bytes) else mode for mode in attributes["nodes_modes"]]
    leaf = np.array([mode == _LEAF for mode in modes])
    known = list(_COMPARISONS)
    own = np.arange(len(leaf))
    yes, no = (
        np.array([own[place] if leaf[place] else places[tree, to] for place, (tree, to) in enumerate(pairs)])
        for pairs in (list(zip(trees, attributes[f"nodes_{side}nodeids"], strict=True)) for side in ("true", "false"))
    )
    reached = {*yes[~leaf].tolist(), *no[~leaf].tolist()}
    tracks = attributes.get("nodes_missing_value_tracks_true") or [0] * len(leaf)
    nodes = _Nodes(
        np.array([place for place in own.tolist() if place not in reached]),
        np.array([-1 if mode == _LEAF else known.index(mode) for mode in modes]),
        np.array(attributes["nodes_featureids"], np.int64),
        _reals(attributes, "nodes_values"),
        yes,
        no,
        np.array(tracks, dtype=bool) & ~leaf,
        leaf,
    )
    return nodes, places


def _reals(attributes: dict[str, Any], name: str) -> NDArray[np.float64]:
    """Real numbers, which a node has as single precision, or as a tensor of double precision."""
    tensor = attributes.get(f"{name}_as_tensor")
    found = numpy_helper.to_array(tensor) if tensor is not None else attributes.get(name, [])
    return np.asarray(found, np.float64)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    found = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _open_last_step(content: bytes) -> _LastStep | None:
    model = onnx.load_model_from_string(content)
    found = [node for node in model.graph.node if node.op_type in (*_TREES, *_LINEAR)]
    if len(found) != 1:  # an ensemble of several models: each sees a part of the way only
        return None
    (node,) = found
    return _Trees(model, node) if node.op_type in _TREES else _Linear(model, node)
