"""Choose rows for a work list: the least certain ones, some with values that drifted, and a random part of all others.

The rows are divided into three strata: the least certain ones are all taken (probability 1); of the other rows with a drifted value, and of the
rest, a simple random sample of known size is drawn. So every row has a known probability of being selected, and the mean of y over all rows is
estimated without bias by the sum of y / probability over the selected ones, divided by the number of all (Horvitz and Thompson 1952). The
plain mean of the selected rows is that of the difficult ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.project.label_config import NextRows

UNCERTAIN, DRIFTED, RANDOM = "uncertain", "drifted", "random"
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """The rows that were selected.

    Attributes:
        places: Their places among all rows, ascending, shape [rows].
        strata: The stratum of each, shape [rows].
        shares: The probability with which each was selected, shape [rows].
        sizes: Number of rows in each stratum, and of those selected.
    """

    places: NDArray[np.int64]
    strata: list[str]
    shares: Numbers
    sizes: dict[str, dict[str, int]]


def select_rows(uncertainty: Numbers, drifted: NDArray[np.bool_], rows: int, parts: NextRows, seed: int) -> Selection:
    """Select rows for a work list.

    Args:
        uncertainty: How uncertain the model is of each row; NaN where it has no answer. Shape [all rows].
        drifted: Which rows have a value whose share has moved; shape as above.
        rows: How many to select, at most.
        parts: The shares of the parts. What a part cannot fill goes to the random one.
        seed: Seed of the random draws.
    """
    total, generator = len(uncertainty), np.random.default_rng(seed)
    rows = min(rows, total)
    known = np.flatnonzero(~np.isnan(uncertainty))
    # ties are drawn, not taken in the order of the table; the random part has a row in any case
    order = known[np.lexsort((generator.random(len(known)), -uncertainty[known]))]
    spare = max(math.ceil(rows * parts.random), 1)
    certain = order[: min(math.floor(rows * parts.uncertain + 0.5), max(rows - spare, 0))]
    free = np.ones(total, np.bool_)
    free[certain] = False
    moved = np.flatnonzero(drifted & free)
    most = max(rows - len(certain) - spare, 0)
    drawn = _draw(moved, min(math.floor(rows * parts.drifted + 0.5), most), generator)
    if len(drawn):
        free[moved] = False
    rest = np.flatnonzero(free)
    others = _draw(rest, rows - len(certain) - len(drawn), generator)
    chosen = {UNCERTAIN: (certain, len(certain)), DRIFTED: (drawn, len(moved)), RANDOM: (others, len(rest))}
    return _selection({name: part for name, part in chosen.items() if len(part[0])})


def _draw(places: NDArray[np.int64], number: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return np.asarray(generator.choice(places, min(number, len(places)), replace=False))


def _selection(chosen: Mapping[str, tuple[NDArray[np.int64], int]]) -> Selection:
    places = np.concatenate([part for part, _ in chosen.values()]) if chosen else np.zeros(0, np.int64)
    strata = [name for name, (part, _) in chosen.items() for _ in part]
    shares = np.array([len(part) / size for part, size in chosen.values() for _ in part])
    order = np.argsort(places, kind="stable")
    sizes = {name: {"rows": size, "selected": len(part)} for name, (part, size) in chosen.items()}
    return Selection(places[order], [strata[place] for place in order], shares[order], sizes)


def measure_uncertainty(scores: NDArray[Any], measure: str) -> Numbers:
    """Measure how uncertain a classifier is of each row, from 0 (certain) to 1.

    Args:
        scores: Probability of the positive class [rows], or of each class [rows, classes].
        measure: `margin`: one less the distance of the two most likely classes; `entropy`: that of all classes, as a share of the largest.
    """
    chances = scores.astype(np.float64)
    if chances.ndim == 1:
        chances = np.stack([1 - chances, chances], axis=1)
    if measure == "margin":
        ordered = np.sort(chances, axis=1)
        return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]))
    positive = np.where(chances > 0, chances, 1.0)
    return np.asarray(-(chances * np.log(positive)).sum(axis=1) / math.log(chances.shape[1]))


@dataclass(frozen=True)
class WeightedMean:
    """A mean over all rows of a pool, estimated from the selected ones.

    Attributes:
        value: The estimate.
        error: Its standard error; None where a stratum has too few labelled rows to tell.
        plain: The plain mean of the labelled rows, for comparison.
        rows: Labelled rows behind it.
        population: Rows of the pool.
    """

    value: float
    error: float | None
    plain: float
    rows: int
    population: int


def estimate_mean(
    values: Numbers, strata: Sequence[str], sizes: Mapping[str, Mapping[str, int]]
) -> WeightedMean | None:
    """Estimate the mean over all rows of a pool from the labelled rows of a work list.

    Each stratum's rows are weighted by its size over the number of its labelled rows: Horvitz and Thompson's weights when all selected
    rows have a label, and their usual correction when some are still missing. None where a stratum has no labelled row.

    Args:
        values: The value of each labelled row, shape [rows].
        strata: The stratum of each.
        sizes: `Selection.sizes`.
    """
    population = sum(part["rows"] for part in sizes.values())
    places = {name: np.array([stratum == name for stratum in strata], np.bool_) for name in sizes}
    if not population or not all(place.any() for place in places.values()):
        return None
    mean, variance, is_known = 0.0, 0.0, True
    for name, part in sizes.items():
        found, share = values[places[name]], part["rows"] / population
        mean += share * float(found.mean())
        left = 1 - len(found) / part["rows"]
        if left > 0 and len(found) < 2:
            is_known = False
        elif left > 0:
            variance += share**2 * left * float(found.var(ddof=1)) / len(found)
    error = math.sqrt(variance) if is_known else None
    return WeightedMean(mean, error, float(values.mean()), len(values), population)
