"""The metric of answers whose labels are not known yet, estimated from their scores: for information, and never a cause.

Confidence-based performance estimation, as NannyML's CBPE: the score of a row says how probable each label is, by how often such scores
were right on the test rows. It sees that rows became harder or easier, and is blind to what changes the label of an equal row: a
concept that drifts is not seen, and a larger share of positives misleads it. So it only says what the metric would be if scores mean what they meant.

The log is kept as counts by cell of the score, so a row stands at the mean score of its cell. What that takes away from a metric, it takes
away on the test rows as well: the estimate is the offline metric plus the difference of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.checks import round_off
from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import CountVector
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.reliability import Reliability
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric
from components.monitor.served_metric import Performance, Yardstick
from components.monitor.time_windows import VersionHours

_ROWS = 20_000
"""Rows that stand for those of a window: each share is right to a twenty-thousandth."""


@dataclass(frozen=True)
class Estimate:
    """An estimated metric.

    Attributes:
        metric: Name of the metric.
        measured: The estimate.
        baseline: The offline metric.
        rows: Answers that it is made of.
    """

    metric: str
    measured: float
    baseline: float
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON (docs/monitoring.md)."""
        return {
            "metric": self.metric,
            "measured": round_off(self.measured),
            "baseline": round_off(self.baseline),
            "rows": self.rows,
        }


def describe_estimate(estimate: Estimate) -> str:
    """Describe an estimate in a line."""
    value = f"{estimate.metric} about {estimate.measured:.4g}, {estimate.baseline:.4g} offline"
    return (
        f"estimated from the scores of {estimate.rows:,} answers, if a score means what it meant: {value}; not judged"
    )


def estimate_window(
    reference: MonitoringReference, yardstick: Yardstick, counts: Counts, min_rows: int
) -> Estimate | None:
    """Estimate the primary metric of a window's answers; None as `estimate_metric`, or where the version keeps no reliability."""
    name = yardstick.task.score
    reliability, counted = reference.reliability.get(name), counts.outputs.get(name)
    if reliability is None or counted is None:
        return None
    return estimate_metric(reliability, counted, yardstick.task, yardstick.metric, yardstick.offline, min_rows)


def add_estimates(
    performance: Performance,
    reference: MonitoringReference,
    yardstick: Yardstick,
    hours: VersionHours,
    min_rows: int,
) -> Performance:
    """Return the windows with labels, each with the estimate of the same time beside it."""
    windows = []
    for served in performance.windows:
        found = estimate_window(reference, yardstick, hours.total(served.window), min_rows)
        windows.append(replace(served, estimated=found.measured if found else None))
    return replace(performance, windows=windows)


def estimate_metric(
    reliability: Reliability, counts: CountVector, task: Task, metric: Metric, offline: float | None, min_rows: int
) -> Estimate | None:
    """Estimate a metric of answers; None with fewer than `min_rows`, without an offline metric, or where it is not defined.

    Args:
        reliability: Of the version's scores.
        counts: Answers by cell of the score, shape [cells].
        task: The task, with the version's threshold.
        metric: The metric.
        offline: That of evaluate.
        min_rows: Fewest answers.
    """
    rows = int(counts.sum())
    if offline is None or rows < min_rows or not reliability.rows.sum() or len(counts) != len(reliability.rows):
        return None
    now, then = (_measure(reliability, each, task, metric) for each in (counts, reliability.rows))
    value = offline + now - then
    return Estimate(metric.name, value, offline, rows) if math.isfinite(value) else None


def _measure(reliability: Reliability, counts: CountVector, task: Task, metric: Metric) -> float:
    """Measure the metric of rows with such scores, of which as many have each label as the reliability says."""
    known = counts * (reliability.rows > 0)  # out of the range of the test rows, or no number: nothing is known of it
    rates = reliability.rates()
    shares = np.stack([known * (1 - rates), known * rates], axis=1) / max(known.sum(), 1)
    numbers = _whole(shares.ravel() * _ROWS)
    labels = np.repeat(np.tile([0, 1], len(counts)), numbers)
    scores = np.repeat(np.repeat(reliability.means, 2), numbers)
    return task.measure(labels, scores).get(metric.name, math.nan) if len(labels) else math.nan


def _whole(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round numbers so that every sum from the first on is right to a half."""
    return np.diff(np.round(np.cumsum(numbers)).astype(np.int64), prepend=0)
