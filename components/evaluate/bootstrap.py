"""How sure a metric is: intervals by a seeded bootstrap that takes well under a second, whatever the number of rows.

Rows are dealt at random to at most `BLOCKS` blocks, each block is reduced to the sums behind the metrics, and blocks are
drawn with replacement: a resample is then one row of a matrix product. With no more rows than blocks this is the ordinary
bootstrap; with more it estimates the same spread. Two models share blocks and draws, which makes their difference a paired one.
AUC and PR-AUC use scores in `_BINS` bins of equal mass here (only for the spread; the values themselves are exact).

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.types import metrics
from components._core.types.metric_names import Task
from components._core.types.metrics.ranking import Numbers

Array = NDArray[Any]
Interval = tuple[float, float]
RESAMPLES = 1_000
BLOCKS = 1_000
LEVEL = 0.95
_BINS = 512
_FEWEST_BINS = 16
_MOST_CELLS = 8_000_000


def intervals(task: Task, labels: Array, scores: Array, seed: int, blocks: int = BLOCKS) -> dict[str, Interval]:
    """The 95 % interval of every metric.

    Args:
        task: The project's task.
        labels: Class index or target, shape [rows].
        scores: As `metrics.measure` takes them.
        seed: Equal seeds give equal intervals.
        blocks: How many blocks to draw from; fewer are faster and a little noisier.

    Returns:
        (low, high) by metric name; NaN where no resample defines the metric.
    """
    drawn = _resample(task, labels, scores, seed, blocks)
    return {name: _interval(values) for name, values in drawn.items()}


def paired_interval(task: Task, name: str, labels: Array, ours: Array, theirs: Array, seed: int) -> Interval:
    """The 95 % interval of the gain of one model over another on the same rows; positive is better.

    Args:
        task: The project's task.
        name: The metric.
        labels: Class index or target, shape [rows].
        ours: Scores of the model in question.
        theirs: Scores of the other.
        seed: Equal seeds give equal intervals.
    """
    first, second = (_resample(task, labels, scores, seed, BLOCKS)[name] for scores in (ours, theirs))
    return _interval(second - first if name in metrics.LOWER_IS_BETTER else first - second)


def _resample(task: Task, labels: Array, scores: Array, seed: int, blocks: int) -> dict[str, Numbers]:
    """Every metric on every resample, shape [RESAMPLES]."""
    count = min(blocks, len(labels))
    sums = _block_sums(task, labels, scores, _deal(len(labels), count, seed), count)
    drawn = metrics.from_sums(task, _with_areas(task, {name: _drawn(values, seed) for name, values in sums.items()}))
    whole = metrics.from_sums(task, _with_areas(task, {name: values.sum(axis=0) for name, values in sums.items()}))
    exact = metrics.measure(task, labels, scores)
    # binned scores shift AUC a little: the spread is kept, the centre becomes the exact value's
    return {name: values + (exact[name] - float(whole[name])) for name, values in drawn.items()}


def _drawn(values: Numbers, seed: int) -> Numbers:
    """Sums over each resample, shape [RESAMPLES, ...], from sums over each block."""
    flat = values.reshape(len(values), -1).astype(np.float32)
    return (_weights(len(values), seed) @ flat).reshape(-1, *values.shape[1:]).astype(np.float64)


def _deal(rows: int, blocks: int, seed: int) -> Array:
    """The block of each row: as even as can be, in random order."""
    return np.random.default_rng([seed, rows]).permutation(rows) % blocks


@lru_cache(maxsize=8)
def _weights(blocks: int, seed: int) -> NDArray[np.float32]:
    """How often each resample draws each block, shape [RESAMPLES, blocks]."""
    drawn = np.random.default_rng([seed, blocks, 1]).integers(0, blocks, (RESAMPLES, blocks))
    cells = drawn + np.arange(RESAMPLES)[:, None] * blocks
    return np.bincount(cells.ravel(), minlength=RESAMPLES * blocks).reshape(RESAMPLES, blocks).astype(np.float32)


def _block_sums(task: Task, labels: Array, scores: Array, dealt: Array, count: int) -> dict[str, Numbers]:
    sums = metrics.sums(task, labels, scores, dealt, count)
    if task == "binary_classification":
        return {**sums, **_ranked(labels, scores, dealt, count, min(_BINS, max(count, _FEWEST_BINS)))}
    if task == "multiclass_classification":
        return {**sums, **_ranked_by_class(labels, scores, dealt, count)}
    return sums


def _ranked(truth: Array, scores: Array, dealt: Array, count: int, bins: int) -> dict[str, Numbers]:
    """Positive and negative rows of each block by binned score, ascending, shape [blocks, bins]."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = dealt * (len(edges) + 1) + np.searchsorted(edges, scores, side="right")
    size = count * (len(edges) + 1)
    positive = np.bincount(cells, weights=truth.astype(np.float64), minlength=size).reshape(count, -1)
    return {"positive": positive, "negative": np.bincount(cells, minlength=size).reshape(count, -1) - positive}


def _ranked_by_class(labels: Array, scores: Array, dealt: Array, count: int) -> dict[str, Numbers]:
    classes = scores.shape[1]
    bins = max(_FEWEST_BINS, min(_BINS, _MOST_CELLS // (count * classes * 2)))
    ranked = {}
    for index in range(classes):
        found = _ranked((labels == index).astype(np.int64), scores[:, index], dealt, count, bins)
        ranked.update({f"{name}_{index}": values for name, values in found.items()})
    return ranked


def _with_areas(task: Task, sums: dict[str, Numbers]) -> dict[str, Numbers]:
    if task != "multiclass_classification":
        return sums
    classes = sums["confusion"].shape[-1]
    areas = [metrics.ranking.area(sums[f"positive_{index}"], sums[f"negative_{index}"]) for index in range(classes)]
    return {**sums, "auc_by_class": np.stack(areas, axis=-1)}


def _interval(values: Numbers) -> Interval:
    known = values[~np.isnan(values)]
    if not len(known):
        return (float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))
