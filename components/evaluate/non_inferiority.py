"""Whether a model without some columns is as good as the one with them: an interval against a margin.

Both are trained with the same seeds and judged on the same rows. Two things make the difference uncertain: which rows are judged
(the paired bootstrap of the mean over seeds), and which seeds were drawn (Student's t of the differences by seed). The interval is
that of their sum. As good, or non-inferior, means that its lower end is above minus the margin.

Sources: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks" (2021); Piaggio et al., "Reporting of Noninferiority and
Equivalence Randomized Trials" (2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from components._core.types.metrics.bootstrap import BLOCKS, RESAMPLES, Interval, interval_of, resample
from components._core.types.metrics.row_sums import Array
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric

MARGIN_SHARE = 0.02
"""The default margin, as a share of what the whole model gains over no model."""


@dataclass(frozen=True)
class Comparison:
    """A model without some columns beside the one with them.

    Attributes:
        whole: The primary metric of the model with all columns, by seed.
        reduced: That of the model without some.
        gain: Mean gain of the reduced model, in the metric's unit; negative: it is worse.
        interval: 95 % interval of the gain.
        margin: Loss that does not matter, in the metric's unit.
        rows: Rows that both are judged on.
    """

    whole: list[float]
    reduced: list[float]
    gain: float
    interval: Interval
    margin: float
    rows: int

    @property
    def verdict(self) -> Literal["as good", "worse", "undecided"]:
        """`as good`: what is lost is less than the margin; `worse`: it is more; `undecided`: the interval holds both."""
        low, high = self.interval
        return "as good" if low > -self.margin else "worse" if high < -self.margin else "undecided"


@dataclass(frozen=True)
class ModelScores:
    """The scores of one model.

    Attributes:
        task: The project's task, with the model's own threshold.
        scores: Its scores, shape [rows] or [rows, classes].
    """

    task: Task
    scores: Array

    def measure(self, metric: Metric, labels: Array) -> float:
        """Measure the metric on all rows."""
        return self.task.measure(labels, self.scores)[metric.name]

    def resample(self, metric: Metric, labels: Array, seed: int) -> Array:
        """Compute the metric on every resample of the rows, shape [RESAMPLES]."""
        return resample(self.task, labels, self.scores, seed, BLOCKS)[metric.name]


def compare_models(
    metric: Metric, labels: Array, whole: list[ModelScores], reduced: list[ModelScores], margin: float, seed: int
) -> Comparison:
    """Compare two models that were trained with the same seeds, on the same rows.

    Args:
        metric: The metric that decides.
        labels: Class index or target, shape [rows].
        whole: Scores of the model with all columns, by seed.
        reduced: Scores of the model without some, by seed.
        margin: Loss that does not matter, in the metric's unit.
        seed: Random seed; equal seeds give equal intervals.
    """
    first, second = ([model.measure(metric, labels) for model in models] for models in (whole, reduced))
    gains = np.array([metric.gain(ours, theirs) for ours, theirs in zip(second, first, strict=True)])
    drawn = np.mean(
        [
            metric.gain(*(model.resample(metric, labels, seed) for model in pair))
            for pair in zip(reduced, whole, strict=True)
        ],
        axis=0,
    )
    interval = interval_of(drawn + _spread_of_seeds(gains, seed))
    return Comparison(first, second, float(gains.mean()), interval, margin, len(labels))


def _spread_of_seeds(gains: Array, seed: int) -> Array:
    """Draw what other seeds would change in the mean gain, shape [RESAMPLES]; zero for one seed, which says nothing of it."""
    if len(gains) < 2:
        return np.zeros(RESAMPLES)
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
    return np.random.default_rng([seed, 3]).standard_t(len(gains) - 1, RESAMPLES) * error


def default_margin(metric: Metric, whole: list[float], without_model: float) -> float:
    """Return 2 % of what the whole model gains over no model; 0 when it gains nothing."""
    gained = metric.gain(float(np.mean(whole)), without_model)
    return max(0.0, MARGIN_SHARE * gained) if math.isfinite(gained) else 0.0
