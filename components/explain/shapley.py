"""Shapley values by sampling: each feature's fair part in a row's score, strings and missing values included.

Features of the typical row are replaced by the row's own one after the other, in random orders; a feature's part is the mean
change that it makes. Parts add up to the difference of the two scores exactly, in every order.

Source: Strumbelj and Kononenko, "An Efficient Explanation of Individual Classifications using Game Theory" (2010).
"""

from __future__ import annotations

import numpy as np

from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Arrays
from components.explain.attribution import Attribution, explained_score, repeated

ORDERS = 8
_CELLS = 20_000_000
"""Values handed to the model in one call at most."""


def shapley_values(
    model: Model, arrays: Arrays, baseline: Arrays, classes: Array | None, seed: int, orders: int = ORDERS
) -> Attribution:
    """Shapley values of every feature.

    Args:
        model: The model.
        arrays: The rows to explain.
        baseline: The typical row, [1] each.
        classes: For many classes, the class explained in each row.
        seed: Equal seeds draw equal orders.
        orders: Orders for each row; every second one is the reverse of the one before, which steadies the mean.
    """
    names = [feature.name for feature in model.signature.inputs]
    rows, width = len(arrays[names[0]]), len(names)
    values = np.zeros((rows, width))
    moved = np.zeros(rows)
    step = max(1, _CELLS // (width * (width + 1)))
    random = np.random.default_rng([seed, rows])
    order = random.permuted(np.tile(np.arange(width), (rows, 1)), axis=1)
    for number in range(orders):
        order = order[:, ::-1] if number % 2 else random.permuted(order, axis=1)
        for first in range(0, rows, step):
            part = np.arange(first, min(first + step, rows))
            of = None if classes is None else classes[part]
            scores = _along(model, {name: arrays[name][part] for name in names}, baseline, of, order[part])
            np.add.at(values, (part[:, None], order[part]), np.diff(scores, axis=1) / orders)
            moved[part] = scores[:, -1] - scores[:, 0]
    return Attribution({name: values[:, place] for place, name in enumerate(names)}, moved)


def _along(model: Model, arrays: Arrays, baseline: Arrays, classes: Array | None, order: Array) -> Array:
    """Scores from the typical row to the row's own, one feature after the other, shape [rows, features + 1]."""
    rows, width = order.shape
    turn = np.argsort(order, axis=1)
    own = turn[:, None, :] < np.arange(width + 1)[None, :, None]
    mixed = repeated(arrays, width + 1)
    for place, name in enumerate(list(mixed)):
        mixed[name] = np.where(own[:, :, place].ravel(), mixed[name], baseline[name][0])
    of = None if classes is None else np.repeat(classes, width + 1)
    scores: Array = explained_score(model, mixed, of).reshape(rows, width + 1)
    return scores
