"""A task that Naru does not have: what a test registers to see that a new task is a line of the table."""

from __future__ import annotations

import numpy as np

from components._core.types.metrics import regression
from components._core.types.metrics.row_sums import Array, Numbers
from components._core.types.tasks.contract import Formulas
from components._core.types.tasks.metric import Metric
from components._core.types.tasks.regression import Regression


class MissFormulas:
    """The metrics of a number, and the share of predictions that are off by more than one."""

    def exact_sums(self, labels: Array, scores: Array) -> dict[str, Numbers]:
        return {**regression.exact_sums(labels, scores), "missed": np.asarray(np.sum(np.abs(scores - labels) > 1))}

    def block_sums(self, labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
        missed = np.bincount(blocks, weights=np.abs(scores - labels) > 1, minlength=count)
        return {**regression.block_sums(labels, scores, blocks, count), "missed": missed}

    def from_sums(self, sums: dict[str, Numbers]) -> dict[str, Numbers]:
        return {**regression.from_sums(sums), "miss_rate": sums["missed"] / sums["rows"]}


class Forecast(Regression):
    """A second regression: with a metric of its own, which decides."""

    @property
    def formulas(self) -> Formulas:
        return MissFormulas()


FORECAST = Forecast(
    name="forecast",
    metrics=(Metric("miss_rate", lower_is_better=True), *Regression().metrics),
    primary="miss_rate",
    headline=("miss_rate",),
    figures=("residuals",),
    loss="mean_absolute_error",
)
