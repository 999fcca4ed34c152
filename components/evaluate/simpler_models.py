"""The model beside a constant, a linear model and boosted trees, which train fitted (`tune.baselines`): by how much it is better, if at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.checks import finite_or_none
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.report.number_format import four_digits
from components._core.report.page import Cell, Page
from components._core.types.artifact_files import BASELINE_NOTES, BASELINE_SCORES
from components._core.types.metrics.row_sums import Array
from components._core.types.tasks import TASKS
from components._frameworks.model_kinds import PROJECT_KIND, find_kind
from components._frameworks.objective import Objective
from components.evaluate.baselines import Baseline

CONSTANT = "constant"
_OWN_TITLE = "the project's model"


@dataclass(frozen=True)
class Compared:
    """A model beside the project's own.

    Attributes:
        kind: Its name; `project` is the model itself.
        title: What it is.
        value: The metric on the eval rows.
        gain: By how much the project's model is better; negative: it is worse.
        low: Lower end of the 95 % interval of the gain.
        high: Its upper end.
    """

    kind: str
    title: str
    value: float
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class SimplerModels:
    """The comparison.

    Attributes:
        objective: What decides.
        fitted_on: Training rows of the baselines.
        models: The models, the best first.
        missing: Why a baseline is missing, by its kind; of all of them under the empty name.
    """

    objective: Objective
    fitted_on: int
    models: tuple[Compared, ...]
    missing: dict[str, str]

    @property
    def not_worse(self) -> list[Compared]:
        """The simpler models over which the gain may be chance, or is none."""
        return [model for model in self.models if model.kind not in (PROJECT_KIND, CONSTANT) and not model.low > 0]

    @property
    def why(self) -> str:
        """What follows for a person, in a sentence; empty: the model is better than all of them."""
        if not self.not_worse:
            return ""
        better = [find_kind(model.kind).title for model in self.not_worse if model.high < 0]
        alike = [find_kind(model.kind).title for model in self.not_worse if not model.high < 0]
        found = {"better than the project's model": better, "not clearly worse": alike}
        names = "; ".join(f"{what}: {' and '.join(titles)}" for what, titles in found.items() if titles)
        return f"{names} (of {self.fitted_on:,} training rows); tune.models finds the best kind"

    def to_json(self) -> dict[str, Any]:
        """Return it for a file, in the form of a search's leaderboard."""
        entries = [
            {
                "kind": model.kind,
                "title": model.title,
                "value": model.value,
                "gain": model.gain,
                "low": model.low,
                "high": model.high,
            }
            for model in self.models
        ]
        found: dict[str, Any] = finite_or_none(
            {
                "metric": self.objective.metric.name,
                "metric_reason": self.objective.reason,
                "rows": len(self.objective.labels),
                "chosen": PROJECT_KIND,
                "why": self.why,
                "entries": entries,
            }
        )
        return found

    def show(self, page: Page) -> None:
        """Add the comparison to the page of the evaluation."""
        name = self.objective.metric.title
        columns = ["kind", "model", name, "gain of the project's model", "95 % from", "to"]
        rows = [_row(model) for model in self.models]
        notes = [
            f"On {len(self.objective.labels):,} eval rows; gains by a paired bootstrap of these, above 0 the project's model is better. The baselines have fixed "
            f"values and were fitted on {self.fitted_on:,} training rows.",
            f"Judged by {self.objective.metric.name}: {self.objective.reason}." if self.objective.reason else "",
            *(f"{kind or 'All of them'}: {why}." for kind, why in self.missing.items()),
            f"{self.why[:1].upper()}{self.why[1:]}." if self.why else "",
        ]
        page.table("Beside simpler models", columns, rows, " ".join(filter(None, notes)))


def compare_simpler_models(project: Project, history: Path | None, baseline: Baseline | None) -> SimplerModels | None:
    """Compare the model with the baselines that train fitted; None when it fitted none.

    Args:
        project: The project.
        history: Output of train; None: there is none.
        baseline: The best constant prediction; None: the model cannot be judged by numbers.
    """
    file = history / BASELINE_SCORES if history else None
    if file is None or baseline is None or not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as held:
        scores: dict[str, Array] = dict(held)
    task, metric, is_named = TASKS[project.task], project.primary_metric(), bool(project.gates.model.metric)
    objective = Objective.of(task, metric, scores.pop("labels"), project.train.seed, is_named=is_named)
    own = scores.pop(PROJECT_KIND)
    notes = read_json(file.with_name(BASELINE_NOTES))
    models = [Compared(PROJECT_KIND, _OWN_TITLE, objective.measure(own))]
    constant = np.ascontiguousarray(baseline.scores(len(own)))
    for kind, theirs in {CONSTANT: constant, **scores}.items():
        gain, (low, high) = objective.gain(own, theirs)
        title = baseline.name if kind == CONSTANT else find_kind(kind).title
        models.append(Compared(kind, title, objective.measure(theirs), gain, low, high))
    models.sort(key=lambda model: objective.key(model.value, 0.0))
    return SimplerModels(objective, int(notes.get("rows", 0)), tuple(models), notes.get("missing", {}))


def _row(model: Compared) -> list[Cell]:
    is_own = model.kind == PROJECT_KIND
    gains: list[Cell] = [None] * 3 if is_own else [four_digits(each) for each in (model.gain, model.low, model.high)]
    return [model.kind, model.title, four_digits(model.value), *gains]
