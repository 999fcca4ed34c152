"""The interval beside predictions: fitted on the eval rows, its coverage measured on the test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components._core.checks import Check
from components._core.project.project_file import Project
from components._core.types.metrics.row_sums import Array
from components._core.types.prediction_interval import PredictionInterval, fit_interval, least_rows
from components._frameworks.contract import Model
from components._frameworks.score_rows import score_split

NAME = "prediction interval"
_DEVIATIONS = 3.0
"""Standard deviations of the measured share below the coverage from which chance does not explain it."""


@dataclass(frozen=True)
class FittedInterval:
    """The interval of a model.

    Attributes:
        value: What is added to a prediction; None when the eval rows are too few.
        coverage: Share of the test rows that lie in it; NaN without one.
        check: How it was found and holds, as a line of the gates.
    """

    value: PredictionInterval | None
    coverage: float
    check: Check


def find_interval(
    project: Project, model: Model, examples: Path, labels: Array, scores: Array
) -> FittedInterval | None:
    """Fit the interval; None when the project does not set `serve.interval`.

    Args:
        project: The project.
        model: The model.
        examples: The examples artifact; its eval split is scored.
        labels: Targets of the test rows, [rows].
        scores: The model's predictions for them, [rows].

    Raises:
        DataError: When no eval row has a label.
        ModelError: When the model fails on the rows or answers in another shape.
    """
    wanted = project.serve.interval
    if wanted is None:
        return None
    scored = score_split({NAME: model}, model.signature, examples, "eval", project.label, [])
    rows, predictions = len(scored.labels), scored.scores[NAME]
    interval = fit_interval(scored.labels, predictions, wanted) if np.isfinite(predictions).all() else None
    if interval is None:
        few = f"{rows:,} eval rows are too few for serve.interval: {wanted:g}, which needs {least_rows(wanted):,}"
        why = few if rows < least_rows(wanted) else "some predictions of eval rows are not finite"
        return FittedInterval(None, math.nan, Check(NAME, "fail", None, wanted, n=rows, reason=why))
    return _judge(interval, labels, scores, rows)


def _judge(interval: PredictionInterval, labels: Array, scores: Array, fitted_on: int) -> FittedInterval:
    found, wanted, rows = interval.measure_coverage(labels, scores), interval.coverage, len(labels)
    # both ends are estimates, too: of so many eval rows
    deviation = math.sqrt(wanted * (1.0 - wanted) * (1.0 / rows + 1.0 / fitted_on))
    spans = f"from {interval.below:+.4g} to {interval.above:+.4g} around a prediction, by {fitted_on:,} eval rows"
    reason = f"{found:.1%} of the test rows lie in the interval of {wanted:.4g}: {spans}"
    is_short = found < wanted - _DEVIATIONS * deviation
    if is_short:
        reason += "; test rows differ from eval rows, so service may fall short as well"
    return FittedInterval(
        interval, found, Check(NAME, "warn" if is_short else "pass", found, wanted, n=rows, reason=reason)
    )
