"""Read the trees of XGBoost from its documented JSON form (doc/model.schema of XGBoost)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.errors import UserCodeError
from components._frameworks.sklearn.boosted_trees import BoostedTrees, Link, Node, Tree

_LINKS: dict[str, Link] = {
    "binary:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:squaredlogerror": "identity",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
}
_CATEGORIES = 1
"""The type of a split by categories."""


def read_xgboost(estimator: Any) -> BoostedTrees:
    """Read a fitted estimator; after early stopping the trees up to the best iteration, as it predicts with them.

    Raises:
        UserCodeError: When its booster or its objective has no conversion.
    """
    booster = estimator.get_booster()
    best = getattr(estimator, "best_iteration", None) if estimator.early_stopping_rounds else None
    booster = booster if best is None else booster[: best + 1]
    learner = json.loads(booster.save_raw("json"))["learner"]
    kind, objective = learner["gradient_booster"]["name"], learner["objective"]["name"]
    if "weight_drop" in learner["gradient_booster"].get(
        "model", {}
    ):  # since 3.4 dart is a gbtree with weights of trees
        kind = "dart"
    if kind != "gbtree" or objective not in _LINKS:
        found = f"booster {kind!r}" if kind != "gbtree" else f"objective {objective!r}"
        remedy = f"use booster='gbtree' and one of the objectives {', '.join(_LINKS)}"
        raise UserCodeError(f"XGBoost's {found} cannot be converted to ONNX", where="build_model", remedy=remedy)
    model = learner["gradient_booster"]["model"]
    trees = tuple(
        Tree(target, tuple(_nodes(tree))) for target, tree in zip(model["tree_info"], model["trees"], strict=True)
    )
    targets = max(int(learner["learner_model_param"]["num_class"]), 1)
    base = _base(learner["learner_model_param"]["base_score"], targets, _LINKS[objective])
    return BoostedTrees(trees, base, _LINKS[objective], estimator.n_features_in_)


def _base(text: str, targets: int, link: Link) -> NDArray[np.float64]:
    """Return the raw scores at the beginning; the file has them as answers."""
    answers = np.atleast_1d(np.asarray(json.loads(text), np.float64))
    base = {"sigmoid": lambda: np.log(answers / (1 - answers)), "exp": lambda: np.log(answers)}.get(
        link, lambda: answers
    )()
    return np.broadcast_to(base, (targets,)).copy()


def _nodes(tree: dict[str, Any]) -> list[Node]:
    sets = {
        node: tree["categories"][start : start + size]
        for node, start, size in zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
        )
    }
    return [_node(tree, number, sets) for number in range(len(tree["left_children"]))]


def _node(tree: dict[str, Any], number: int, sets: dict[int, list[int]]) -> Node:
    left, right = tree["left_children"][number], tree["right_children"][number]
    condition, gain = tree["split_conditions"][number], tree["loss_changes"][number]
    if left < 0:
        return Node(value=float(condition))
    column, missing_left = tree["split_indices"][number], bool(tree["default_left"][number])
    if tree["split_type"][number] == _CATEGORIES:  # the categories named go right there
        named = tuple(float(category) for category in sorted(sets[number]))
        return Node(0.0, right, left, column, 0.0, not missing_left, named, gain)
    below = float(np.nextafter(np.float32(condition), np.float32(-np.inf)))  # left is what is less
    return Node(0.0, left, right, column, below, missing_left, None, gain)
