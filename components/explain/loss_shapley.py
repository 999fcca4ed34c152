"""Shapley values of the loss: each feature's part in what the model's knowledge of a row saves.

A row's features replace those of another row, drawn at random, one after the other in a random order and in its reverse. A
feature's part is the mean reduction of the loss that it makes. A feature without any use is as good as that of the other row,
so its mean over rows is zero; features that say the same share their part, unlike in permutation importance.

Source: Covert, Lundberg and Lee, "Understanding Global Feature Contributions With Additive Importance Measures" (2020); here with
one drawn row for each row explained, which more rows make up for.
"""

from __future__ import annotations

import numpy as np

from components._core.types.tasks.contract import Task
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Sample, take
from components.explain.attribution import scores_along

_ROWS = 800
_CELLS = 4_000_000
"""Maximum number of values that are passed to the model; a wide table gets fewer rows."""


def loss_reductions(task: Task, model: Model, sample: Sample, seed: int) -> dict[str, Array]:
    """Compute by feature how much it reduces the loss of each row, shape [rows], in two orders each.

    Args:
        task: The project's task.
        model: The model.
        sample: The rows; at most 800 of them are used, fewer of a wide table.
        seed: Equal seeds draw equal rows and orders.
    """
    names, random = list(sample.arrays), np.random.default_rng([seed, sample.rows, 2])
    width = len(names)
    rows = max(1, min(_ROWS, sample.rows, _CELLS // (2 * width * (width + 1))))
    chosen = random.choice(sample.rows, rows, replace=False)
    own, others = (take(sample.arrays, places) for places in (chosen, random.integers(0, sample.rows, rows)))
    order = random.permuted(np.tile(np.arange(width), (rows, 1)), axis=1)
    reductions, labels = np.zeros((rows, width)), sample.labels[chosen]
    for each in (order, order[:, ::-1]):
        scores = scores_along(model, own, others, each)
        losses = task.row_losses(np.repeat(labels, width + 1), scores).reshape(rows, width + 1)
        np.add.at(reductions, (np.arange(rows)[:, None], each), -np.diff(losses, axis=1) / 2)
    return {name: reductions[:, place] for place, name in enumerate(names)}
