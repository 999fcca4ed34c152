"""Gates of a model: bounds, the simple baseline, the champion on the same rows, slices."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from components._core.checks import Check, Outcome, Status, judge, round_off
from components._core.project.gate_config import Bound
from components._core.types.metrics.bootstrap import paired_interval
from components._core.types.metrics.row_sums import Array
from components._core.types.tasks import TASKS
from components.evaluate.evidence import Evidence
from components.evaluate.slices import judge_slices

_FEW_ROWS = 3
"""Test rows from which one of many classes must be predicted at least once."""


def judge_model(evidence: Evidence) -> Outcome:
    """Judge the measurements by the project's gates. A `fail` blocks the model, and the run still succeeds."""
    if evidence.unusable:
        return judge([Check("predictions", "fail", n=len(evidence.labels), reason=evidence.unusable)])
    gates, rows = evidence.project.gates.model, len(evidence.labels)
    bounds = [_bound(name, evidence.metrics[name], bound, rows) for name, bound in sorted(gates.thresholds.items())]
    checks = [
        *bounds,
        _against_baseline(evidence),
        *check_classes(evidence),
        *([evidence.threshold.check] if evidence.threshold else []),
        *([evidence.interval.check] if evidence.interval else []),
        against_champion(evidence),
        *_left_out(evidence),
    ]
    checks += judge_slices(evidence.project, evidence.slices, evidence.metrics[evidence.primary.name])
    metrics = reported_metrics(evidence.metrics)
    if evidence.threshold:  # part of the version's record: the other metrics hold at this threshold
        metrics["threshold"] = round_off(evidence.threshold.value)
    if evidence.interval and evidence.interval.value:
        metrics["interval_coverage"] = round_off(evidence.interval.coverage)
    outcome = judge([check.rounded() for check in checks], _summary(evidence), metrics)
    if evidence.unchanged and outcome.verdict != "blocked":
        return replace(outcome, verdict="skipped", reason=_unchanged(evidence))
    return outcome


def reported_metrics(measured: dict[str, float]) -> dict[str, float]:
    """Round metrics for the stage's output: six digits (further ones depend on the machine), without undefined ones."""
    return {name: round_off(value) for name, value in measured.items() if not math.isnan(value)}


def _bound(name: str, value: float, bound: Bound, rows: int) -> Check:
    if math.isnan(value):
        return Check(
            name,
            "fail",
            None,
            bound.min if bound.min is not None else bound.max,
            n=rows,
            reason=f"{name} is undefined here",
        )
    if bound.min is not None and value < bound.min:
        return Check(
            name, "fail", value, bound.min, n=rows, reason=f"{name} is {_n(value)}, must be at least {_n(bound.min)}"
        )
    if bound.max is not None and value > bound.max:
        return Check(
            name, "fail", value, bound.max, n=rows, reason=f"{name} is {_n(value)}, must be at most {_n(bound.max)}"
        )
    held = bound.min if bound.min is not None else bound.max
    return Check(name, "pass", value, held, n=rows, reason=f"{name} is {_n(value)}, within its bound")


def _against_baseline(evidence: Evidence) -> Check:
    metric, rows = evidence.primary, len(evidence.labels)
    name = metric.name
    ours, theirs = evidence.metrics[name], evidence.baseline_metrics[name]
    message = (
        f"{name} {_n(ours)} against {_n(theirs)} of a baseline: {evidence.baseline.name if evidence.baseline else ''}"
    )
    gained = metric.gain(ours, theirs)
    if not gained > 0:
        return Check("baseline", "fail", ours, None, theirs, rows, f"not better than no model at all: {message}")
    low, high = evidence.intervals[name]
    if low <= theirs <= high and not _is_surely_better(evidence):
        reason = f"hardly better than no model at all: {message}{_remedy(evidence)}"
        return Check("baseline", _status_of_first(evidence), ours, None, theirs, rows, reason)
    return Check("baseline", "pass", ours, None, theirs, rows, message)


def _is_surely_better(evidence: Evidence) -> bool:
    """Return whether the gain over the baseline on the same rows is above zero; its interval is narrower than either metric's."""
    if evidence.baseline is None:
        return False
    answers = np.ascontiguousarray(evidence.baseline.scores(len(evidence.labels)))
    project = evidence.project
    low, _ = paired_interval(
        evidence.task,
        evidence.primary,
        evidence.labels,
        evidence.scores,
        answers,
        project.train.seed,
        TASKS[project.task],
    )
    return low > 0


def check_classes(evidence: Evidence) -> list[Check]:
    """Check that every class in the test rows is predicted at least once; of many classes only those with a few rows.

    Of two classes, the positive one must also be found at least once: a model that misses all of them only warns.
    """
    classes, predicted = evidence.signature.classes, evidence.task.predicted_classes(evidence.scores)
    if predicted is None:
        return []
    rows = np.bincount(evidence.labels, minlength=len(classes))
    called = np.bincount(predicted, minlength=len(classes))
    never = [index for index in range(len(classes)) if rows[index] and not called[index]]
    if not never:
        return [_missed_positives(evidence, predicted) or _passed_classes(evidence)]
    message = ", ".join(
        f"{classes[index]!r} ({rows[index]:,} of {len(evidence.labels):,} test rows)" for index in never[:5]
    )
    serious = not evidence.task.scores_by_class or max(rows[index] for index in never) >= _FEW_ROWS
    status = _status_of_first(evidence) if serious else "warn"
    advice = f"; {_advice(evidence)}{_remedy(evidence)}" if serious else ""
    reason = f"never predicts {message}{', ...' if len(never) > 5 else ''}{advice}"
    return [Check("classes", status, float(len(never)), n=len(evidence.labels), reason=reason)]


def _passed_classes(evidence: Evidence) -> Check:
    return Check("classes", "pass", 0.0, n=len(evidence.labels), reason="every class is predicted at least once")


def _missed_positives(evidence: Evidence, predicted: Array) -> Check | None:
    """Warn when none of the positive test rows is found, although some rows are called positive."""
    rows = int((evidence.labels == 1).sum())
    if not evidence.task.takes_positive or not rows or (predicted[evidence.labels == 1] == 1).any():
        return None
    positive = evidence.signature.classes[1]
    reason = f"finds none of the {rows:,} test rows with {positive!r}; {_advice(evidence)}"
    return Check("classes", "warn", float(rows), n=len(evidence.labels), reason=reason)


def _advice(evidence: Evidence) -> str:
    """Say what helps a model that misses a class, without what the project does already."""
    project, ways = evidence.project, []
    if evidence.task.threshold_metrics and project.serve.threshold is None:
        ways.append("serve.threshold: f1")
    if project.train.class_weight is None:
        ways.append("train.class_weight: balanced")
    return f"try {' or '.join(ways)}" if ways else "more rows of the class would help"


def _status_of_first(evidence: Evidence) -> Status:
    """Return the status of a failed check that only blocks a first model; a later one is compared with its champion."""
    is_blocked = evidence.champion is None and evidence.project.gates.model.first == "block"
    return "fail" if is_blocked else "warn"


def _remedy(evidence: Evidence) -> str:
    return " (gates.model.first: deploy lets it pass)" if _status_of_first(evidence) == "fail" else ""


def against_champion(evidence: Evidence) -> Check:
    """Compare the model with the champion on the same rows, by the primary metric and a paired bootstrap."""
    champion, metric, rows = evidence.champion, evidence.primary, len(evidence.labels)
    name = metric.name
    ours = evidence.metrics[name]
    if champion is None:
        return Check("champion", "no_baseline", ours, n=rows, reason="there is no champion to compare with")
    if evidence.unchanged:
        return Check("champion", "skipped", ours, None, ours, rows, _unchanged(evidence))
    if evidence.changed_answer:  # most metrics do not depend on it: the model cannot be better than itself
        message = f"the model of {champion.name}, with another {evidence.changed_answer}"
        return Check("champion", "pass", ours, None, ours, rows, message)
    if evidence.champion_metrics is None or evidence.compared_metrics is None or evidence.gain_interval is None:
        return Check(
            "champion", champion.status, ours, n=rows, reason=f"not compared with {champion.name}: {champion.reason}"
        )
    ours, rows = evidence.compared_metrics[name], evidence.compared
    theirs, least = evidence.champion_metrics[name], evidence.project.gates.model.min_gain
    gained = metric.gain(ours, theirs)
    message = _against(name, ours, theirs) + _where_compared(evidence)
    low, high = evidence.gain_interval
    spans = f"gain {gained:+.2g}, 95 % of {low:+.2g} to {high:+.2g}"
    if not gained > least:
        wanted = f" (a gain of more than {least:g} is required)" if least else ""
        return Check(
            "champion", "fail", ours, least, theirs, rows, f"not better than {champion.name}: {message}{wanted}"
        )
    if low <= 0:
        return Check(
            "champion",
            "warn",
            ours,
            least,
            theirs,
            rows,
            f"better than {champion.name}, perhaps by chance: {message} ({spans})",
        )
    return Check("champion", "pass", ours, least, theirs, rows, f"better than {champion.name}: {message} ({spans})")


def _where_compared(evidence: Evidence) -> str:
    rows = len(evidence.labels)
    if evidence.compared == rows:
        return ""
    return f" on {evidence.compared:,} of {rows:,} test rows: the others may be rows that the champion was trained on"


def _left_out(evidence: Evidence) -> list[Check]:
    if not evidence.left_out:
        return []
    message = f"{evidence.left_out:,} test rows have no label, or one that the training rows did not have"
    return [
        Check("labels", "warn", float(evidence.left_out), n=len(evidence.labels) + evidence.left_out, reason=message)
    ]


def _unchanged(evidence: Evidence) -> str:
    version = evidence.champion.deployment.version if evidence.champion else ""
    return f"nothing changed since version {version}: the model is the champion's, byte for byte"


def _summary(evidence: Evidence) -> str:
    name = evidence.primary.name
    message = f"{name} {_n(evidence.metrics[name])}"
    if evidence.champion is None:
        return f"{message}; no champion to compare with"
    if evidence.champion_metrics is None or evidence.compared_metrics is None:
        return f"{message}; not compared with {evidence.champion.name}"
    theirs = f"{evidence.champion.name} has {_n(evidence.champion_metrics[name])}"
    if evidence.compared == len(evidence.labels):
        return f"{message}; {theirs}"
    return f"{message}; on {evidence.compared:,} rows {_n(evidence.compared_metrics[name])}, {theirs}"


def _against(name: str, ours: float, theirs: float) -> str:
    """Format two values with enough digits to distinguish them."""
    pairs = [(_n(ours, digits), _n(theirs, digits)) for digits in (4, 6, 8)]
    first, second = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    return f"{name} {first} against {second}"


def _n(value: float, digits: int = 4) -> str:
    """Format a number for comparison: four decimals, or five digits when it is large."""
    return (
        f"{value:.{digits}f}"
        if abs(value) < 10
        else f"{value:,.{digits + 1}g}"
        if abs(value) < 1e5
        else f"{value:,.0f}"
    )
