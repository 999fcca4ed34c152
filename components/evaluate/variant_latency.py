"""How long variants of a model take beside it: calls in turns, in several rounds, so that what slows the machine slows all of them.

A call with one row is what a server's clients send, one with a thousand what a batch does. A call with a number of rows that was not seen
before is measured too: a compiler that works at call time compiles then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components._frameworks.contract import Arrays, Model

ONE, BATCH = 1, 1_000
_SIZES = {ONE: 60, BATCH: 6}
"""Calls of a round, by their rows."""
_ROUNDS = 9
_MOST_SECONDS = 0.1
"""Time after which the calls of one size end in a round."""
_WARM_UP = 5
_UNSEEN = (2, 7, 33)
"""Numbers of rows that no call had before."""


@dataclass(frozen=True)
class Timings:
    """Times of one model, in milliseconds.

    Attributes:
        rounds: Median time of a call by its rows, a number for each round.
        p95_ms: 95th percentile of all calls with one row.
        unseen_ms: The longest first call with a number of rows that was not seen before.
    """

    rounds: dict[int, list[float]]
    p95_ms: float
    unseen_ms: float

    def median(self, rows: int) -> float:
        """Return the median time of a call with so many rows."""
        return float(np.median(self.rounds[rows]))


@dataclass(frozen=True)
class Speedup:
    """How many times as fast a variant is as its model.

    Attributes:
        median: The geometric mean over both sizes of call, in the median of the rounds.
        slowest: The same in the slowest of the rounds but one: above 1, chance explains the gain in 2 of 100 cases.
        by_rows: The median of the rounds by the rows of a call.
    """

    median: float
    slowest: float
    by_rows: dict[int, float]


def measure_in_turns(models: Mapping[str, Model], rows: Arrays) -> dict[str, Timings]:
    """Time models in turns; each round begins with another one.

    Args:
        models: The models by name; all take the same rows.
        rows: Rows as `predict` takes them, repeated where a call needs more.
    """
    calls = {count: _resize(rows, count) for count in _SIZES}
    unseen = {name: max(_seconds(model, _resize(rows, count)) for count in _UNSEEN) for name, model in models.items()}
    for model in models.values():
        for arrays in calls.values():
            for _ in range(_WARM_UP):
                model.predict(arrays)
    names = list(models)
    rounds: dict[str, dict[int, list[float]]] = {name: {count: [] for count in _SIZES} for name in names}
    singles: dict[str, list[float]] = {name: [] for name in names}
    for number in range(_ROUNDS):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            for count, arrays in calls.items():
                taken = _time(models[name], arrays, _SIZES[count])
                rounds[name][count].append(float(np.median(taken)) * 1_000)
                singles[name] += taken if count == ONE else []
    return {
        name: Timings(rounds[name], float(np.quantile(singles[name], 0.95)) * 1_000, unseen[name] * 1_000)
        for name in names
    }


def compare(original: Timings, variant: Timings) -> Speedup:
    """Compare the times of a variant with those of its model, round by round."""
    ratios = {
        count: np.array(original.rounds[count]) / np.maximum(variant.rounds[count], 1e-9) for count in variant.rounds
    }
    together = np.exp(np.mean([np.log(values) for values in ratios.values()], axis=0))
    return Speedup(
        float(np.median(together)),
        float(np.sort(together)[1]),
        {count: float(np.median(values)) for count, values in ratios.items()},
    )


def _resize(rows: Arrays, count: int) -> Arrays:
    return {name: np.resize(values, count) for name, values in rows.items()}


def _time(model: Model, arrays: Arrays, calls: int) -> list[float]:
    taken: list[float] = []
    while len(taken) < calls and sum(taken) < _MOST_SECONDS:
        taken.append(_seconds(model, arrays))
    return taken


def _seconds(model: Model, arrays: Arrays) -> float:
    started = time.perf_counter()
    model.predict(arrays)
    return time.perf_counter() - started
