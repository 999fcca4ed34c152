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

from components._core import metrics
from components._core.metrics.ranking import Numbers
from components._core.project import Task

Array = NDArray[Any]
Interval = tuple[float, float]
RESAMPLES = 1_000
BLOCKS = 1_000
LEVEL = 0.95
_BINS = 512
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
    drawn = resampled(task, labels, scores, seed, blocks)
    exact = metrics.measure(task, labels, scores)
    whole = _block_metrics(task, labels, scores, np.zeros(len(labels), dtype=np.int64), 1)
    # binned scores shift AUC a little: the spread is kept, the centre is the exact value's
    return {name: _interval(values + (exact[name] - float(whole[name][0]))) for name, values in drawn.items()}


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
    blocks = _deal(len(labels), BLOCKS, seed)
    gains, centres = [], []
    for scores in (ours, theirs):
        gains.append(_draw(task, labels, scores, blocks, BLOCKS, seed)[name])
        whole = _block_metrics(task, labels, scores, np.zeros(len(labels), dtype=np.int64), 1)
        centres.append(metrics.measure(task, labels, scores)[name] - float(whole[name][0]))
    sign = -1.0 if name in metrics.LOWER_IS_BETTER else 1.0
    return _interval(sign * ((gains[0] + centres[0]) - (gains[1] + centres[1])))


def resampled(task: Task, labels: Array, scores: Array, seed: int, blocks: int = BLOCKS) -> dict[str, Numbers]:
    """Every metric on every resample, shape [RESAMPLES]."""
    return _draw(task, labels, scores, _deal(len(labels), blocks, seed), blocks, seed)


def _draw(task: Task, labels: Array, scores: Array, dealt: Array, most: int, seed: int) -> dict[str, Numbers]:
    count = min(most, len(labels))
    sums = _block_sums(task, labels, scores, dealt, count)
    weights = _weights(count, seed)
    drawn = {
        name: (weights @ values.reshape(count, -1).astype(np.float32)).reshape(-1, *values.shape[1:]).astype(np.float64)
        for name, values in sums.items()
    }
    return metrics.from_sums(task, _with_areas(task, drawn))


def _block_metrics(task: Task, labels: Array, scores: Array, dealt: Array, count: int) -> dict[str, Numbers]:
    return metrics.from_sums(task, _with_areas(task, _block_sums(task, labels, scores, dealt, count)))


def _deal(rows: int, blocks: int, seed: int) -> Array:
    """The block of each row: as even as can be, in random order."""
    return np.random.default_rng([seed, rows]).permutation(rows) % min(blocks, rows)


@lru_cache(maxsize=8)
def _weights(blocks: int, seed: int) -> NDArray[np.float32]:
    """How often each resample draws each block, shape [RESAMPLES, blocks]."""
    drawn = np.random.default_rng([seed, blocks, 1]).integers(0, blocks, (RESAMPLES, blocks))
    cells = drawn + np.arange(RESAMPLES)[:, None] * blocks
    return np.bincount(cells.ravel(), minlength=RESAMPLES * blocks).reshape(RESAMPLES, blocks).astype(np.float32)


def _block_sums(task: Task, labels: Array, scores: Array, dealt: Array, count: int) -> dict[str, Numbers]:
    sums = {name: _added(values, dealt, count) for name, values in metrics.row_sums(task, labels, scores).items()}
    if task == "binary_classification":
        return {**sums, **_ranked(labels, scores, dealt, count, min(_BINS, max(count, 16)))}
    if task == "multiclass_classification":
        return {**sums, **_by_class(labels, scores, dealt, count)}
    return sums


def _added(values: Numbers, dealt: Array, count: int) -> Numbers:
    if values.ndim == 1:
        return np.bincount(dealt, weights=values, minlength=count).astype(np.float64)
    return np.stack([_added(values[:, place], dealt, count) for place in range(values.shape[1])], axis=1)


def _ranked(truth: Array, scores: Array, dealt: Array, count: int, bins: int) -> dict[str, Numbers]:
    """Positive and negative rows of each block by binned score, ascending, shape [blocks, bins]."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = dealt * (len(edges) + 1) + np.searchsorted(edges, scores, side="right")
    size = count * (len(edges) + 1)
    positive = np.bincount(cells, weights=truth.astype(np.float64), minlength=size).reshape(count, -1)
    return {"positive": positive, "negative": np.bincount(cells, minlength=size).reshape(count, -1) - positive}


def _by_class(labels: Array, scores: Array, dealt: Array, count: int) -> dict[str, Numbers]:
    classes = scores.shape[1]
    cells = (dealt * classes + labels) * classes + scores.argmax(axis=1)
    confusion = np.bincount(cells, minlength=count * classes**2).reshape(count, classes, classes).astype(np.float64)
    bins = max(16, min(_BINS, _MOST_CELLS // (count * classes * 2)))
    ranked = {}
    for index in range(classes):
        found = _ranked((labels == index).astype(np.int64), scores[:, index], dealt, count, bins)
        ranked.update({f"{name}_{index}": values for name, values in found.items()})
    return {"confusion": confusion, **ranked}


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
