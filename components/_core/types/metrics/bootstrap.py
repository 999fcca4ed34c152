"""Confidence intervals of metrics: a seeded bootstrap that takes well under a second for any number of rows.

Rows are assigned at random to at most `BLOCKS` blocks, each block is reduced to the sums behind the metrics, and blocks
are drawn with replacement: a resample is then one row of a matrix product. With no more rows than blocks this is the
ordinary bootstrap; with more it estimates the same spread. Two models share blocks and draws, which makes their
difference a paired one. AUC and PR-AUC use scores in bins of equal mass here (only for the spread; the values
themselves are exact).

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.types.metrics.row_sums import Numbers
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric

Array = NDArray[Any]
Interval = tuple[float, float]
RESAMPLES = 1_000
BLOCKS = 1_000
LEVEL = 0.95
_NORMAL = 1.959963984540054
_MOST_STEPS, _PRECISION = 50, 1e-11


def intervals(task: Task, labels: Array, scores: Array, seed: int, blocks: int = BLOCKS) -> dict[str, Interval]:
    """Compute the 95 % interval of every metric.

    Args:
        task: The project's task.
        labels: Class index or target, shape [rows].
        scores: Scores as in `Task.measure`.
        seed: Random seed; equal seeds give equal intervals.
        blocks: Number of blocks to draw from; fewer are faster and a little noisier.

    Returns:
        (low, high) by metric name; NaN where no resample defines the metric.
    """
    drawn = resample(task, labels, scores, seed, blocks)
    return {name: interval_of(values) for name, values in drawn.items()}


def paired_interval(
    task: Task,
    metric: Metric,
    labels: Array,
    ours: Array,
    theirs: Array,
    seed: int,
    their_task: Task | None = None,
) -> Interval:
    """Compute the 95 % interval of the gain of one model over another on the same rows; positive is better.

    Args:
        task: The project's task.
        metric: A metric of the task.
        labels: Class index or target, shape [rows].
        ours: Scores of the first model.
        theirs: Scores of the other model.
        seed: Random seed; equal seeds give equal intervals.
        their_task: The task with the threshold of the other model; None: the same as `task`.
    """
    first, second = (
        resample(each, labels, scores, seed, BLOCKS)[metric.name]
        for each, scores in ((task, ours), (their_task or task, theirs))
    )
    return interval_of(metric.gain(first, second))


def resample(task: Task, labels: Array, scores: Array, seed: int, blocks: int) -> dict[str, Numbers]:
    """Compute every metric on every resample, shape [RESAMPLES]; arguments as in `intervals`."""
    count = min(blocks, len(labels))
    return _resample_blocks(task, labels, scores, _assign_blocks(len(labels), count, seed), count, seed)


def day_interval(task: Task, metric: Metric, labels: Array, scores: Array, days: Array, seed: int) -> Interval:
    """Compute the 95 % interval of a metric by a bootstrap over days: the rows of a day share their weather.

    Whole days are drawn with replacement, and the interval is widened about the metric to that of Student's t with a degree of
    freedom less than days: percentiles of few blocks are too narrow (T. Hesterberg, "What Teachers Should Know About the
    Bootstrap", The American Statistician 69, 2015, section 3.2: the expanded percentile interval).

    Args:
        task: The project's task.
        metric: A metric of the task.
        labels: Class index or target, shape [rows].
        scores: Scores as in `Task.measure`.
        days: Day of each row, any whole numbers, shape [rows]; at least two different ones.
        seed: Random seed; equal seeds give equal intervals.
    """
    known, blocks = np.unique(days, return_inverse=True)
    drawn = _resample_blocks(task, labels, scores, blocks, len(known), seed)[metric.name]
    low, high = interval_of(drawn)
    centre, degrees = task.measure(labels, scores)[metric.name], len(known) - 1
    wider = student_quantile(degrees) / _NORMAL * float(np.sqrt(len(known) / degrees))
    return (centre + (low - centre) * wider, centre + (high - centre) * wider)


def student_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t, by Newton's method on its distribution; exact to 9 digits."""
    value = _NORMAL
    for _ in range(_MOST_STEPS):
        density = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
        points = np.linspace(0.0, value, 2_001)
        heights = density * (1 + points**2 / degrees) ** (-(degrees + 1) / 2)
        weights = np.where(np.arange(len(points)) % 2, 4.0, 2.0)  # Simpson's rule
        weights[[0, -1]] = 1.0
        below = 0.5 + float((weights * heights).sum()) * (points[1] / 3)
        step = ((1 + LEVEL) / 2 - below) / float(heights[-1])
        value += step
        if abs(step) < _PRECISION:
            break
    return float(value)


def _resample_blocks(
    task: Task, labels: Array, scores: Array, blocks: Array, count: int, seed: int
) -> dict[str, Numbers]:
    """Compute every metric on every resample of blocks, shape [RESAMPLES]."""
    formulas = task.formulas
    sums = formulas.block_sums(labels, scores, blocks, count)
    drawn = formulas.from_sums({name: _drawn(values, seed) for name, values in sums.items()})
    whole = formulas.from_sums({name: values.sum(axis=0) for name, values in sums.items()})
    exact = task.measure(labels, scores)
    # binned scores shift AUC a little: the spread is kept, the centre becomes the exact value's
    return {name: drawn[name] + (value - float(whole[name])) for name, value in exact.items()}


def _drawn(values: Numbers, seed: int) -> Numbers:
    """Return sums over each resample, shape [RESAMPLES, ...], from sums over each block."""
    flat = values.reshape(len(values), -1).astype(np.float32)
    return (_weights(len(values), seed) @ flat).reshape(-1, *values.shape[1:]).astype(np.float64)


def _assign_blocks(rows: int, blocks: int, seed: int) -> Array:
    """Assign each row to a block: as evenly as possible, in random order."""
    return np.random.default_rng([seed, rows]).permutation(rows) % blocks


@lru_cache(maxsize=8)
def _weights(blocks: int, seed: int) -> NDArray[np.float32]:
    """Return how often each resample draws each block, shape [RESAMPLES, blocks]."""
    drawn = np.random.default_rng([seed, blocks, 1]).integers(0, blocks, (RESAMPLES, blocks))
    cells = drawn + np.arange(RESAMPLES)[:, None] * blocks
    return np.bincount(cells.ravel(), minlength=RESAMPLES * blocks).reshape(RESAMPLES, blocks).astype(np.float32)


def interval_of(values: Numbers) -> Interval:
    """Return the central 95 % of values, NaN among them left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return (float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))
