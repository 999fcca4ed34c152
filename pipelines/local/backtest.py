"""Train a project's model as of earlier spans and judge each on the spans that followed: what it costs not to retrain.

It takes what a past run left (examples, schema, hyperparameters, code). Everything is written to a folder that is removed at the
end: no version is registered, and no store, ledger or run is touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components._core.checks import finite_or_none
from components._core.errors import ConfigError
from components._core.types.tasks import TASKS
from pipelines.local.trained_run import Trained, prepare_again, scratch_folder, train_again
from pipelines.local.workspace import Workspace

if TYPE_CHECKING:  # importing it takes NumPy
    from components.evaluate.staleness import AgeLoss, Judged, Schedule

_FIRST_SPANS = 2
"""Spans that the first model is trained on at least: one may have to be its eval split."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Backtest:
    """The result of a backtest.

    Attributes:
        run: The run whose rows and code were used.
        metric: Name of the metric that decides.
        window: How many spans each model was trained on; 0: all before.
        cutoffs: Last span of each model's training rows, ascending.
        judged: Each model on each later span.
        losses: What models of each age lose, youngest first.
        margin: Loss that does not matter, in the metric's unit.
        schedule: What follows for how often to retrain.
        drop: Largest drop that a fresh model shows from its eval rows to the next span; None with few models.
        retrained: Mean of the metric when a model is trained after every span.
        never: Mean of it on the same spans for the first model alone.
        labels: How people write each span.
    """

    run: str
    metric: str
    window: int
    cutoffs: list[int]
    judged: list[Judged]
    losses: list[AgeLoss]
    margin: float
    schedule: Schedule
    drop: float | None
    retrained: float
    never: float
    labels: dict[int, str]

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        found = {
            "run": self.run,
            "metric": self.metric,
            "window": self.window,
            "cutoffs": [self.labels[span] for span in self.cutoffs],
            "judged": [
                {"age": one.age, "span": self.labels[one.span], "value": one.value, "rows": one.rows}
                for one in self.judged
            ],
            "ages": [
                {
                    "age": one.age,
                    "spans": one.spans,
                    "value": one.value,
                    "loss": one.loss,
                    "interval": None if one.interval is None else list(one.interval),
                }
                for one in self.losses
            ],
            "margin": self.margin,
            "safe_age": self.schedule.safe,
            "harmful_age": self.schedule.harmful,
            "usual_drop": self.drop,
            "policies": {
                "every span": {"value": self.retrained, "runs": len(self.cutoffs)},
                "never": {"value": self.never, "runs": 1},
            },
        }
        converted: dict[str, Any] = finite_or_none(found)  # a span whose rows have one label may have no metric
        return converted


@dataclass(frozen=True)
class _Model:
    """A model of one cutoff: its metric on its eval rows, and on each later span."""

    offline: float
    judged: list[Judged]
    gained: float


def choose_cutoffs(spans: list[int], models: int, window: int) -> list[int]:
    """Choose the last spans of the models' training rows: the newest that have a later span.

    Args:
        spans: The spans of the run, ascending.
        models: How many models at most.
        window: How many spans each is trained on; 0: all before.

    Raises:
        ConfigError: When there are too few spans.
    """
    first = max(_FIRST_SPANS, window)
    if len(spans) < first + 2:
        message = f"the run has {len(spans)} span{'s' * (len(spans) != 1)}; a backtest needs {first + 2}: {first} to train on, and 2 later ones"
        raise ConfigError(message, where="data.spans", remedy="run the project over more spans, as with --spans all")
    return spans[first - 1 : -1][-models:]


def backtest(
    workspace: Workspace, trained: Trained, models: int, window: int, margin: float | None, say: Say
) -> Backtest:
    """Train a model for each cutoff, and judge it on every later span.

    Args:
        workspace: The project's workspace: a folder for the work is made in it, and removed.
        trained: The run that gives rows, code and hyperparameters.
        models: How many models at most: the newest cutoffs.
        window: How many spans each is trained on; 0: all before.
        margin: Loss that does not matter, in the metric's unit; None: 2 % of what fresh models gain over no model.
        say: Called with a line after each model.

    Raises:
        ConfigError: When there are too few spans, or the models gain nothing over no model, so that a margin must be given.
        NaruError: What transform, train and the models raise.
    """
    from components._core.examples.artifact import Manifest
    from components._core.examples.span_folds import write_later_spans
    from components.evaluate.staleness import loss_by_age, propose_schedule, usual_drop

    manifest = Manifest.load(trained.artifacts["examples"])
    spans = sorted(manifest.spans, key=manifest.unit.position)
    cutoffs = choose_cutoffs(spans, models, window)
    metric = trained.project.primary_metric()
    found: list[_Model] = []
    with scratch_folder(workspace, "backtest-") as scratch:
        later = scratch / "later"
        write_later_spans(trained.artifacts["examples"], spans[spans.index(cutoffs[0]) + 1 :], later)
        for number, cutoff in enumerate(cutoffs, 1):
            place = spans.index(cutoff)
            own = spans[place + 1 - window if window else 0 : place + 1]
            found.append(_train_and_judge(trained, own, spans[place + 1 :], later, scratch / str(number)))
            values = "  ".join(f"{one.value:.4f}" for one in found[-1].judged)
            say(f"up to {manifest.unit.label(cutoff):<10} {metric.name} {found[-1].offline:.4f}  then {values}")
    judged = [one for model in found for one in model.judged]
    margin = _find_margin(found) if margin is None else margin
    losses = loss_by_age(metric, judged)
    fresh = {one.span: one.value for one in judged if one.age == 1 and math.isfinite(one.value)}
    first = {one.span: one.value for one in found[0].judged if one.span in fresh and math.isfinite(one.value)}
    if not first:
        message = f"no later span has a value of {metric.name}, as where all its rows have one label"
        raise ConfigError(message, where="gates.model.metric", remedy="name another metric, or use larger spans")
    return Backtest(
        run=trained.run,
        metric=metric.name,
        window=window,
        cutoffs=cutoffs,
        judged=judged,
        losses=losses,
        margin=margin,
        schedule=propose_schedule(losses, margin),
        drop=usual_drop(metric, [model.offline for model in found], [model.judged[0].value for model in found]),
        retrained=sum(fresh[span] for span in first) / len(first),
        never=sum(first.values()) / len(first),
        labels={span: manifest.unit.label(span) for span in spans},
    )


def _train_and_judge(trained: Trained, own: list[int], after: list[int], later: Path, scratch: Path) -> _Model:
    """Train on some spans, measure on the eval rows and on each later span."""
    from components._core.examples.span_folds import write_earlier_spans
    from components._frameworks.score_rows import score_split
    from components._frameworks.table import load_model
    from components.evaluate.baselines import fit_baseline
    from components.evaluate.decision_threshold import find_threshold
    from components.evaluate.staleness import Judged

    project, metric = trained.project, trained.project.primary_metric()
    examples = scratch / "examples"
    write_earlier_spans(trained.artifacts["examples"], own, examples)
    model = load_model(train_again(trained, prepare_again(trained, examples, scratch), scratch))
    threshold = find_threshold(project, model, examples)
    task = TASKS[project.task].with_threshold(threshold.value if threshold else None)
    held_out = score_split({"model": model}, model.signature, examples, "eval", project.label, [])
    offline = task.measure(held_out.labels, held_out.scores["model"])[metric.name]
    constant = fit_baseline(model.signature, examples, project.label).scores(len(held_out.labels))
    judged = []
    for age, span in enumerate(after, 1):
        scored = score_split({"model": model}, model.signature, later, "test", project.label, [], spans=[span])
        value = task.measure(scored.labels, scored.scores["model"])[metric.name]
        judged.append(Judged(age, span, value, len(scored.labels)))
    gained = metric.gain(offline, TASKS[project.task].measure(held_out.labels, constant)[metric.name])
    return _Model(offline, judged, gained)


def _find_margin(found: list[_Model]) -> float:
    from components.evaluate.non_inferiority import MARGIN_SHARE

    gained = sum(model.gained for model in found) / len(found)
    if not gained > 0:
        message = "the models gain nothing over no model, so the default margin would be 0"
        raise ConfigError(message, where="--margin", remedy="give the loss that does not matter, as in --margin 0.01")
    return MARGIN_SHARE * gained
