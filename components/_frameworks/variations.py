"""Scoring of many variations of the same rows in few calls, since a call costs more than a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from components._frameworks.sampled_rows import Array, Arrays

_CELLS = 5_000_000
"""Maximum number of values passed to the model in one call, about 20 MB."""


def score_variations(
    score: Callable[[Arrays, int], Array], arrays: Arrays, variations: Iterable[tuple[str, Array]]
) -> Iterator[Array]:
    """Yield the scores of each variation, in order.

    Args:
        score: Scores rows; the second argument is the number of consecutive variations in them.
        arrays: The rows, [rows] by feature.
        variations: A feature and its values [rows]; all others stay as they are.
    """
    rows = len(next(iter(arrays.values())))
    together = max(1, _CELLS // (rows * len(arrays)))
    left = iter(variations)
    while some := list(islice(left, together)):
        every = {name: np.tile(values, len(some)) for name, values in arrays.items()}
        for place, (name, values) in enumerate(some):
            every[name][place * rows : (place + 1) * rows] = values
        yield from np.split(score(every, len(some)), len(some))
