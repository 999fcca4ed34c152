"""Shapley values of one row against background rows: what each feature's value adds to the score.

A set of features is worth the mean score of the background rows in which those features have the row's values (the interventional
game). With few features every set is scored, and the values are exact. With more, each background row is led to the row in random
orders, each followed by its reverse; every way adds up to the difference of the two scores, so the values still add up to
`score - base`, and the spread of the orders says how sure each one is.

Sources: Strumbelj and Kononenko (2010) for the orders; Janzing, Minorics and Bloebaum, "Feature relevance quantification in explainable
AI: a causal problem" (2020), for the game; Covert and Lee, "Improving KernelSHAP" (2021), for orders in pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Arrays, take
from components.explain.attribution import explained_score, scores_along

BACKGROUND_ROWS = 100
EXACT_FEATURES = 10
"""Features of which every set is scored: 1,024 sets with 100 background rows each."""
_SAMPLED_ROWS = 100_000
_CELLS = 20_000_000
_CELLS_AT_ONCE = 2_000_000
"""Bounds on the values handed to the model: in all, which a wide table reaches, and in one call."""


@dataclass(frozen=True)
class RowShapley:
    """The Shapley values of one row.

    Attributes:
        values: By feature, in the score's unit; they add up to `score - base`.
        errors: Standard error of each value over the orders drawn; 0 where every set was scored.
        score: The row's score.
        base: Mean score of the background rows.
        rows: Background rows.
        orders: Orders drawn for each background row; 0: every set was scored.
    """

    values: dict[str, float]
    errors: dict[str, float]
    score: float
    base: float
    rows: int
    orders: int

    @property
    def is_exact(self) -> bool:
        """Whether every set of features was scored."""
        return not self.orders


def attribute_row(
    model: Model,
    row: Arrays,
    background: Arrays,
    class_index: int | None,
    seed: int,
    exact: int = EXACT_FEATURES,
    most_scored: int = _SAMPLED_ROWS,
) -> RowShapley:
    """Compute the Shapley values of one row.

    Args:
        model: The model.
        row: The row, [1] by feature.
        background: The rows that it is compared with, [rows] by feature; a wide table takes the first of them only.
        class_index: For a score by class, the class whose score is explained; None otherwise.
        seed: Equal seeds draw equal orders.
        exact: Most features of which every set is scored.
        most_scored: About how many rows are scored where orders are drawn; never fewer than four ways to the row take.
    """
    width, rows = len(row), len(next(iter(background.values())))
    if width <= exact:
        return _score_sets(model, row, background, class_index)
    ways = max(4, min(most_scored, _CELLS // width) // (width + 1))  # from a background row to the row
    rows = min(rows, max(1, ways // 2))
    return _sample_orders(model, row, take(background, np.arange(rows)), class_index, seed, max(1, ways // (2 * rows)))


def worth_without(model: Model, row: Arrays, background: Arrays, class_index: int | None) -> dict[str, float]:
    """Compute how much the score falls when one feature alone gets the values of the background rows, by feature.

    Arguments as in `attribute_row`. Source: Zeiler and Fergus (2014), who cover parts of a picture.
    """
    rows = len(next(iter(background.values())))
    whole = {name: np.repeat(value, rows, axis=0) for name, value in row.items()}
    found = {}
    score = _mean_score(model, row, class_index)
    for name, values in background.items():
        found[name] = score - _mean_score(model, {**whole, name: values}, class_index)
    return found


def _mean_score(model: Model, arrays: Arrays, class_index: int | None) -> float:
    return float(_scores(model, arrays, class_index).mean())


def _scores(model: Model, arrays: Arrays, class_index: int | None) -> Array:
    rows = len(next(iter(arrays.values())))
    return explained_score(model, arrays, None if class_index is None else np.full(rows, class_index))


def _score_sets(model: Model, row: Arrays, background: Arrays, class_index: int | None) -> RowShapley:
    names, rows = list(row), len(next(iter(background.values())))
    width = len(names)
    sets = np.arange(2**width)
    step = max(1, _CELLS_AT_ONCE // (rows * width))
    worth = np.concatenate(
        [_worth(model, row, background, class_index, sets[first : first + step]) for first in range(0, len(sets), step)]
    )
    sizes = np.array([int(each).bit_count() for each in sets])
    weights = np.array([1 / (width * math.comb(width - 1, size)) for size in range(width)])
    values = {}
    for place, name in enumerate(names):
        without = sets[(sets >> place) & 1 == 0]
        values[name] = float((weights[sizes[without]] * (worth[without | 1 << place] - worth[without])).sum())
    return RowShapley(values, dict.fromkeys(names, 0.0), float(worth[-1]), float(worth[0]), rows, 0)


def _worth(model: Model, row: Arrays, background: Arrays, class_index: int | None, sets: Array) -> Array:
    """Return the mean score of the background rows with the row's values for the features in each set, [sets]."""
    rows = len(next(iter(background.values())))
    mixed = {}
    for place, (name, value) in enumerate(row.items()):
        is_own = np.repeat((sets >> place) & 1 == 1, rows)
        mixed[name] = np.where(is_own, value[0], np.tile(background[name], len(sets))).astype(value.dtype)
    means: Array = _scores(model, mixed, class_index).reshape(len(sets), rows).mean(axis=1)
    return means


def _sample_orders(
    model: Model, row: Arrays, background: Arrays, class_index: int | None, seed: int, pairs: int
) -> RowShapley:
    names, rows = list(row), len(next(iter(background.values())))
    width, random = len(names), np.random.default_rng([seed, len(row)])
    parts = np.zeros((pairs, rows, width))
    step = max(1, _CELLS_AT_ONCE // (width * (width + 1)))
    scores = np.zeros((rows, 2))
    for pair in range(pairs):
        order = random.permuted(np.tile(np.arange(width), (rows, 1)), axis=1)
        for each in (order, order[:, ::-1]):
            for first in range(0, rows, step):
                some = np.arange(first, min(first + step, rows))
                own = {name: np.repeat(value, len(some), axis=0) for name, value in row.items()}
                found = scores_along(model, own, take(background, some), each[some])
                found = (found if class_index is None else found[:, class_index]).reshape(len(some), width + 1)
                found = found.astype(np.float64)
                np.add.at(parts[pair], (some[:, None], each[some]), np.diff(found, axis=1) / 2)
                scores[some] = found[:, [0, -1]]
    base, score = scores.mean(axis=0)
    values, errors = parts.mean(axis=(0, 1)), _errors(parts)
    return RowShapley(
        dict(zip(names, values.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
        float(score),
        float(base),
        rows,
        2 * pairs,
    )


def _errors(parts: Array) -> Array:
    """Return the standard error of the mean over orders, whose background rows are given; `parts` is [pairs, rows, features]."""
    pairs, rows, _ = parts.shape
    if pairs > 1:
        error: Array = np.sqrt(parts.var(axis=0, ddof=1).sum(axis=0) / pairs) / rows
    elif rows > 1:  # the spread of the rows is in it as well: rather too large
        error = parts[0].std(axis=0, ddof=1) / math.sqrt(rows)
    else:
        error = np.full(parts.shape[2], np.nan)
    return error
