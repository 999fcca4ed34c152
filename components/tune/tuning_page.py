"""The page of tune: progress of the search, and every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

import optuna

from components._core.checks import Outcome
from components._core.project.config_types import Hyperparameter
from components._core.report.page import Cell, Page
from components._core.report.plots import lines


def page_of(study: optuna.Study, outcome: Outcome, values: dict[str, Hyperparameter]) -> Page:
    """Make the page of one search."""
    page = Page("tune", "Hyperparameters", outcome)
    page.facts({"trials": len(study.trials), "best trial": study.best_trial.number, "eval loss": study.best_value})
    page.figure(
        "Search",
        lines(_curves(study), "trial", "eval loss"),
        "trial 0 has the project's defaults; a gap is a trial stopped early",
    )
    page.table("Chosen values", ["name", "value"], [[name, value] for name, value in sorted(values.items())])
    names = sorted(study.trials[0].params)
    page.table(
        "Trials", ["trial", "state", "eval loss", *names], [_row(trial, names) for trial in study.trials], folded=True
    )
    return page


def _curves(study: optuna.Study) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    numbers = [float(trial.number) for trial in study.trials]
    losses = [math.nan if trial.value is None else trial.value for trial in study.trials]
    finite = [[loss for loss in losses[: end + 1] if not math.isnan(loss)] for end in range(len(losses))]
    return {"trial": (numbers, losses), "best so far": (numbers, [min(seen, default=math.nan) for seen in finite])}


def _row(trial: optuna.trial.FrozenTrial, names: list[str]) -> list[Cell]:
    return [trial.number, trial.state.name.lower(), trial.value, *(trial.params.get(name) for name in names)]
