"""Boosted trees in a form that belongs to no library: what their conversion to ONNX and the gain of a feature are made of.

A library registers a reader for its estimators, as `hist_gradient_boosting.py` does for those of scikit-learn itself. Its own converters
either refuse splits by categories or know another rule for missing values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "exp", "sigmoid", "softmax"]


@dataclass(frozen=True)
class Node:
    """A node of a tree: a leaf where `left` is -1, otherwise a split of one column.

    A row goes left when its value is at most `threshold`, or, where `categories` are given, when it is one of them.

    Attributes:
        value: What a leaf adds to the raw score.
        left: Index of a node of the tree.
        right: Index of a node of the tree.
        column: Index of the column.
        threshold: The largest value that goes left.
        missing_left: Whether a missing value goes left.
        categories: Values of a split by categories; None: a split by the threshold.
        gain: How much the split lowered the loss of the fit, in the library's unit; 0 for a leaf.
    """

    value: float = 0.0
    left: int = -1
    right: int = -1
    column: int = 0
    threshold: float = 0.0
    missing_left: bool = False
    categories: tuple[float, ...] | None = None
    gain: float = 0.0

    @property
    def is_leaf(self) -> bool:
        """Whether it is a leaf."""
        return self.left < 0


@dataclass(frozen=True)
class Tree:
    """One tree; its first node is the root.

    Attributes:
        target: Index of the raw score that its leaves add to.
        nodes: Its nodes.
    """

    target: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class BoostedTrees:
    """A fitted ensemble.

    Attributes:
        trees: The trees.
        base: The raw scores before the first tree, [targets].
        link: What makes the answer of the raw scores.
        columns: Number of columns of the matrix that it takes.
    """

    trees: tuple[Tree, ...]
    base: NDArray[np.float64]
    link: Link
    columns: int

    def gain(self) -> NDArray[np.float64]:
        """Sum the gain of the splits by column, [columns]."""
        total = np.zeros(self.columns)
        for tree in self.trees:
            for node in tree.nodes:
                if not node.is_leaf:
                    total[node.column] += node.gain
        return total


Reader = Callable[[Any], BoostedTrees]

_READERS: dict[type, Reader] = {}


def register_reader(estimator: type, reader: Reader) -> None:
    """Let an estimator's class count as boosted trees that take missing values and categories as they are.

    Args:
        estimator: The class.
        reader: Reads a fitted estimator of it.
    """
    _READERS[estimator] = reader


def is_boosted(estimator: Any) -> bool:
    """Whether there is a reader for an estimator."""
    return type(estimator) in _READERS


def read_trees(estimator: Any) -> BoostedTrees:
    """Read the trees of a fitted estimator for which `is_boosted` holds."""
    return _READERS[type(estimator)](estimator)
