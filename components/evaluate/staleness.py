"""What it costs that a model gets older: models trained up to different spans, judged on the spans that came after.

Spans differ in how hard they are, so a loss is measured within a span: the metric of the freshest model on it, minus that of an
older one. The spans are the sample: the interval of the mean is Student's t over them, since rows of one span are not independent.

Sources: Breck et al., "The ML Test Score" (2017), test Model 4; Tashman, "Out-of-sample tests of forecasting accuracy" (2000), on
rolling origins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from components._core.types.metrics.bootstrap import LEVEL, Interval
from components._core.types.tasks.metric import Metric

_DRAWS = 100_000
FEW = 3
"""Spans below which no interval is given: Student's t says next to nothing about the mean of two."""


@dataclass(frozen=True)
class Judged:
    """A model on one span that came after those it was trained on.

    Attributes:
        age: How many spans the model is behind: 1 is the first span after its training rows.
        span: The span it is judged on.
        value: The metric.
        rows: Rows of the span with a label.
    """

    age: int
    span: int
    value: float
    rows: int


@dataclass(frozen=True)
class AgeLoss:
    """What models of one age lose against the freshest ones, on the same spans.

    Attributes:
        age: Spans since the training rows.
        spans: How many spans both were judged on.
        value: Mean of the metric on them.
        loss: Mean loss, in the metric's unit: positive is worse than the freshest model.
        interval: 95 % interval of the mean loss; None for the freshest, and with fewer than three spans.
    """

    age: int
    spans: int
    value: float
    loss: float
    interval: Interval | None


def loss_by_age(metric: Metric, judged: Sequence[Judged]) -> list[AgeLoss]:
    """Compute the loss by age, youngest first; spans on which a model has no finite metric are left out.

    Args:
        metric: The metric that decides.
        judged: Models on spans; models of age 1 are what the others are held against.
    """
    known = [one for one in judged if math.isfinite(one.value)]
    fresh = {one.span: one.value for one in known if one.age == 1}
    losses = []
    for age in sorted({one.age for one in known}):
        pairs = [
            (one.value, metric.gain(fresh[one.span], one.value))
            for one in known
            if one.age == age and one.span in fresh
        ]
        if pairs:
            values, lost = (np.array(side) for side in zip(*pairs, strict=True))
            interval = None if age == 1 else interval_of_mean(lost)
            losses.append(AgeLoss(age, len(pairs), float(values.mean()), float(lost.mean()), interval))
    return losses


def interval_of_mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval | None:
    """Return the 95 % interval of a mean by Student's t; None with fewer than three values."""
    count = len(values)
    if count < FEW:
        return None
    half = float(_quantile_of_t(count - 1) * values.std(ddof=1) / math.sqrt(count))
    mean = float(values.mean())
    return mean - half, mean + half


@cache
def _quantile_of_t(degrees: int) -> float:
    """Return the half width of Student's t that holds `LEVEL` of its draws."""
    drawn = np.abs(np.random.default_rng(degrees + 1).standard_t(degrees, _DRAWS))
    return float(np.quantile(drawn, LEVEL))


@dataclass(frozen=True)
class Schedule:
    """What follows for how often to retrain.

    Attributes:
        safe: The oldest age up to which every age surely loses less than the margin; 1: not even the next one surely does.
        harmful: The youngest age that surely loses more; None: none that was tried.
        oldest: The oldest age that was tried with an interval; 1: none was.
    """

    safe: int
    harmful: int | None
    oldest: int


def propose_schedule(losses: Sequence[AgeLoss], margin: float) -> Schedule:
    """Say which ages surely lose less, and which surely more, than a margin in the metric's unit."""
    safe, harmful, oldest, unbroken = 1, None, 1, True
    for one in losses:
        if one.interval is None:
            continue
        oldest = one.age
        unbroken = unbroken and one.interval[1] < margin
        if unbroken:
            safe = one.age
        if harmful is None and one.interval[0] > margin:
            harmful = one.age
    return Schedule(safe, harmful, oldest)


def usual_drop(metric: Metric, offline: Sequence[float], next_span: Sequence[float]) -> float | None:
    """Return the largest drop that fresh models show from their eval rows to the next span: a smaller one says nothing.

    Args:
        metric: The metric that decides.
        offline: The metric of each model on its eval rows.
        next_span: That of the same model on the first span after its training rows.

    Returns:
        The drop in the metric's unit, at least 0; None with fewer than three models.
    """
    drops = [
        metric.gain(before, after)
        for before, after in zip(offline, next_span, strict=True)
        if math.isfinite(before) and math.isfinite(after)
    ]
    return max(0.0, *drops) if len(drops) >= FEW else None
