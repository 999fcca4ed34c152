"""Read the trees of LightGBM from `Booster.dump_model`."""

from __future__ import annotations

from typing import Any

import numpy as np

from components._core.errors import UserCodeError
from components._frameworks.sklearn.boosted_trees import BoostedTrees, Link, Node, Tree

_LINKS: dict[str, Link] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
_UNIT = "sigmoid:1"


def read_lightgbm(estimator: Any) -> BoostedTrees:
    """Read a fitted estimator; after early stopping the trees up to the best iteration, as it predicts with them.

    Raises:
        UserCodeError: When its objective or one of its settings has no conversion.
    """
    booster = estimator.booster_
    model = booster.dump_model(num_iteration=estimator.best_iteration_ or None)
    objective, *settings = str(model["objective"]).split()
    unusual = {
        f"objective {model['objective']!r}": objective not in _LINKS
        or any(setting.startswith("sigmoid:") and setting != _UNIT for setting in settings)
        or "sqrt" in settings,
        "boosting 'rf'": bool(model["average_output"]),
        "setting linear_tree": bool(estimator.get_params().get("linear_tree")),
        "setting zero_as_missing": bool(estimator.get_params().get("zero_as_missing")),
    }
    if found := next((what for what, is_so in unusual.items() if is_so), ""):
        remedy = f"leave it at its default; objectives that can be converted: {', '.join(_LINKS)}"
        raise UserCodeError(f"LightGBM's {found} cannot be converted to ONNX", where="build_model", remedy=remedy)
    targets = int(model["num_tree_per_iteration"])
    trees = tuple(
        Tree(place % targets, tuple(_nodes(tree["tree_structure"]))) for place, tree in enumerate(model["tree_info"])
    )
    return BoostedTrees(trees, np.zeros(targets), _LINKS[objective], estimator.n_features_in_)


def _nodes(root: dict[str, Any]) -> list[Node]:
    """Number the nodes of a nested tree, those next to the root first."""
    found, nodes = [root], list[Node]()
    for structure in found:  # grows while it is read
        if "split_feature" not in structure:
            nodes.append(Node(value=float(structure["leaf_value"])))
            continue
        left = len(found)
        found += [structure["left_child"], structure["right_child"]]
        nodes.append(_split(structure, left))
    return nodes


def _split(structure: dict[str, Any], left: int) -> Node:
    column, gain = int(structure["split_feature"]), float(structure["split_gain"])
    if structure["decision_type"] == "==":  # a missing value is none of the categories
        named = tuple(float(category) for category in str(structure["threshold"]).split("||"))
        return Node(0.0, left, left + 1, column, categories=named, gain=gain)
    threshold = float(structure["threshold"])
    # without missing values in training, one counts as 0
    is_missing_known = structure["missing_type"] == "NaN"
    missing_left = bool(structure["default_left"]) if is_missing_known else threshold >= 0
    return Node(0.0, left, left + 1, column, threshold, missing_left, None, gain)
