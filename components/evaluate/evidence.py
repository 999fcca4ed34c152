"""What was found about a model, before anyone judges it: what gates and page go by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from components._core.errors import ModelError
from components._core.examples.artifact import Manifest
from components._core.project.named_columns import check_columns_exist
from components._core.project.project_file import Project
from components._core.suggestions import listed
from components._core.types.metrics.bootstrap import Interval, intervals, paired_interval
from components._core.types.metrics.row_sums import Array
from components._core.types.prediction_interval import PredictionInterval
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components._core.types.tasks.metric import Metric
from components._frameworks.contract import Model
from components._frameworks.score_rows import Scored, score_split
from components.evaluate.baselines import Baseline, fit_baseline
from components.evaluate.champion import Champion
from components.evaluate.decision_threshold import DecisionThreshold, find_threshold
from components.evaluate.interval_fit import FittedInterval, find_interval
from components.evaluate.missing_values import missing_columns
from components.evaluate.slices import Slice, measure_slices

OURS, THEIRS = "model", "champion"


@dataclass(frozen=True)
class Evidence:
    """What was found on the test rows.

    Attributes:
        project: The project.
        signature: The model's border.
        labels: Class index or target, shape [rows].
        scores: The model's, as `Task.measure` takes them.
        left_out: Test rows without a label that the model knows.
        unusable: Why the model cannot be judged by numbers at all; empty when it can.
        metrics: Every metric of the task; empty when unusable, as all below.
        intervals: Their 95 % intervals.
        baseline: What is to be beaten without a model.
        baseline_metrics: Its metrics on the same rows.
        champion: The champion, or None when there is none.
        compared: Rows that both are compared on: fewer than all where the champion was trained on some of them.
        compared_metrics: The model's metrics on those; None when it cannot be compared.
        champion_metrics: The champion's metrics on those; None when it cannot be compared.
        gain_interval: 95 % interval of the gain over it in the primary metric.
        slices: The primary metric on parts of the rows.
        unchanged: Whether the model is the champion's, byte for byte, and answers alike.
        changed_answer: What is served otherwise although it is: `threshold`, `interval` or `serve.optimize`; empty: nothing.
        threshold: The model's threshold where the project has `serve.threshold`; else None.
        interval: The interval beside its predictions where the project has `serve.interval`; else None.
    """

    project: Project
    signature: Signature
    labels: Array
    scores: Array
    left_out: int = 0
    unusable: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    baseline: Baseline | None = None
    baseline_metrics: dict[str, float] = field(default_factory=dict)
    champion: Champion | None = None
    compared: int = 0
    compared_metrics: dict[str, float] | None = None
    champion_metrics: dict[str, float] | None = None
    gain_interval: Interval | None = None
    slices: list[Slice] = field(default_factory=list)
    unchanged: bool = False
    changed_answer: str = ""
    threshold: DecisionThreshold | None = None
    interval: FittedInterval | None = None

    @property
    def task(self) -> Task:
        """The project's task, with the model's threshold."""
        return TASKS[self.project.task].with_threshold(self.threshold.value if self.threshold else None)

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.project.primary_metric()


def check_gates(project: Project, examples: Path) -> None:
    """Refuse gates that name columns that do not exist, before any work.

    Raises:
        ConfigError: With what is allowed.
    """
    check_columns_exist({"gates.model.slices": project.gates.model.slices}, list(Manifest.load(examples).columns))


def gather(
    project: Project, model: Model, champion: Champion | None, examples: Path, *, unchanged: bool = False
) -> Evidence:
    """Score model and champion on the test rows and measure everything that gates and page want.

    Args:
        project: The project.
        model: The model in question.
        champion: The model in service, or None.
        examples: The examples artifact.
        unchanged: Whether the model is the champion's, byte for byte.
    """
    scored, champion = _score(project, model, champion, examples)
    labels, scores = scored.labels, scored.scores[OURS]
    unusable = _unusable(model.signature, scored, examples)
    if unusable:
        return Evidence(project, model.signature, labels, scores, scored.left_out, unusable, champion=champion)
    baseline = fit_baseline(model.signature, examples, project.label)
    threshold = find_threshold(project, model, examples)
    interval = find_interval(project, model, examples, labels, scores)
    default, seed = TASKS[project.task], project.train.seed
    value = threshold.value if threshold else None
    task = default.with_threshold(value)
    changed = (
        _changed_answer(project, champion, value, interval.value if interval else None)
        if unchanged and champion
        else ""
    )
    evidence = Evidence(
        project,
        model.signature,
        labels,
        scores,
        scored.left_out,
        metrics=_primary_first(project, task.measure(labels, scores)),
        intervals=intervals(task, labels, scores, seed),
        baseline=baseline,
        baseline_metrics=default.measure(labels, baseline.scores(len(labels))),
        champion=champion,
        slices=measure_slices(project, labels, scores, scored.columns, task),
        unchanged=unchanged and not changed,
        changed_answer=changed,
        threshold=threshold,
        interval=interval,
    )
    return _with_champion(evidence, scored)


def _primary_first(project: Project, metrics: dict[str, float]) -> dict[str, float]:
    """Return metrics in the order in which people read them."""
    names = TASKS[project.task].primary_first(metrics, project.primary_metric().name)
    return {name: metrics[name] for name in names}


def _changed_answer(
    project: Project, champion: Champion, threshold: float | None, interval: PredictionInterval | None
) -> str:
    if champion.threshold != threshold:
        return "threshold"
    if champion.interval != interval:
        return "interval"
    ours = project.serve.optimize.model_dump(mode="json") if project.serve.optimize else None
    return "serve.optimize" if ours != (champion.variant.settings if champion.variant else None) else ""


def _with_champion(evidence: Evidence, scored: Scored) -> Evidence:
    """Compare with the champion, on the rows that neither was trained on."""
    champion, theirs = evidence.champion, scored.scores.get(THEIRS)
    if champion is None or theirs is None:
        return evidence
    labels, ours = evidence.labels, evidence.scores
    if champion.unseen is not None:
        shared = champion.unseen[scored.places]
        labels, ours, theirs = labels[shared], ours[shared], theirs[shared]
    if problem := _too_few(evidence, labels):
        return replace(evidence, champion=Champion(champion.deployment, None, "no_baseline", problem))
    task, seed = evidence.task, evidence.project.train.seed
    their_task = TASKS[evidence.project.task].with_threshold(champion.threshold)
    return replace(
        evidence,
        compared=len(labels),
        compared_metrics=_primary_first(evidence.project, task.measure(labels, ours)),
        champion_metrics=their_task.measure(labels, theirs),
        gain_interval=paired_interval(task, evidence.primary, labels, ours, theirs, seed, their_task),
    )


def _too_few(evidence: Evidence, labels: Array) -> str:
    """Why these rows, a part of the test rows, do not suffice; empty when they do or are all of them."""
    rows, least = len(evidence.labels), evidence.project.gates.model.slice_min_rows
    if len(labels) == rows:
        return ""
    reason = f"its rows were split differently, and of the {rows:,} test rows it was not trained on"
    if len(labels) < least:
        return f"{reason} only {len(labels):,} (gates.model.slice_min_rows: {least:,})"
    one_class = evidence.signature.classes and len(np.unique(labels)) < 2
    return f"{reason} {len(labels):,}, which are all of one class" if one_class else ""


def _score(project: Project, model: Model, champion: Champion | None, examples: Path) -> tuple[Scored, Champion | None]:
    """Scores of both; a champion that fails on the rows is left out, with the reason."""
    wanted = (model.signature, examples, "test", project.label, project.gates.model.slices)
    if champion is None or champion.model is None:
        return score_split({OURS: model}, *wanted), champion
    try:
        scored = score_split({OURS: model, THEIRS: champion.model}, *wanted)
        problem = "" if _finite(scored.scores[THEIRS]) else "it answers with values that are not numbers"
    except ModelError as error:
        problem = f"it fails on these rows: {error.message}"
    if not problem:
        return scored, champion
    # should it be our own model that failed, this second pass says so
    alone = score_split({OURS: model}, *wanted)
    return alone, Champion(champion.deployment, None, "warn", problem)


def _unusable(signature: Signature, scored: Scored, examples: Path) -> str:
    labels, scores = scored.labels, scored.scores[OURS]
    bad = ~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)
    if bad.any():
        reason = f"the predictions for {int(bad.sum()):,} of {len(scores):,} test rows are not numbers"
        names = missing_columns(examples, [feature.name for feature in signature.inputs], scored.places[bad])
        remedy = "replace them in a preprocessing_fn or, for an imported model, in model.missing"
        return f"{reason}: these rows have missing values ({listed(names)}); {remedy}" if names else reason
    if signature.classes and len(np.unique(labels)) < 2:
        only = signature.classes[int(labels[0])]
        return f"all {len(labels):,} test rows have the label {only}: no model can be judged on one class"
    return ""


def _finite(scores: Array) -> bool:
    return bool(np.isfinite(scores).all())
