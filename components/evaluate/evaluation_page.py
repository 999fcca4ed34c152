"""The page of evaluate: what decides first, then the numbers, the curves, the slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from components._core.checks import Outcome
from components._core.report import plots
from components._core.report.page import Cell, Page
from components._core.types.metrics import binary, multiclass, ranking
from components._core.types.metrics.ranking import Array
from components.evaluate.evidence import Evidence
from components.evaluate.latency import Latency
from components.evaluate.slices import MOST_VALUES, Slice

_NAMES = {
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "npv": "NPV",
    "f1": "F1",
    "fpr": "False positive rate",
    "recall": "Recall (sensitivity)",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "r2": "R²",
}
_SCORE_BINS = 40
Series = dict[str, tuple[Sequence[float], Sequence[float]]]


def make_page(evidence: Evidence, outcome: Outcome) -> Page:
    """Everything that is the same whenever the inputs are; times come in by `add_latency`.

    Args:
        evidence: What was found.
        outcome: How it was judged.
    """
    page = Page("evaluate", "Evaluation", outcome)
    if evidence.unusable:
        page.text(f"The model cannot be judged: {evidence.unusable}.")
        page.checks(outcome.checks)
        return page
    page.facts(_facts(evidence))
    page.checks(outcome.checks)
    _metrics_table(page, evidence)
    match evidence.project.task:
        case "binary_classification":
            _binary(page, evidence)
        case "multiclass_classification":
            _multiclass(page, evidence)
        case _:
            _regression(page, evidence)
    _slices(page, evidence)
    return page


def add_latency(page: Page, latencies: list[Latency], bound_ms: float) -> None:
    """Add how long calls took. Only to the rendered page: the page as data must not hold times.

    Args:
        page: The page, already saved as data.
        latencies: What was measured.
        bound_ms: `gates.serving.p95_ms`, held against one row; deploy judges the served latency.
    """
    rows: list[list[Cell]] = [[at.rows, at.calls, at.p50_ms, at.p95_ms] for at in latencies]
    slow = latencies[0].p95_ms > bound_ms
    told = f"is above the bound of {bound_ms:g} ms" if slow else f"is within the bound of {bound_ms:g} ms"
    page.table(
        "Latency in process",
        ["rows in a call", "calls", "p50, ms", "p95, ms"],
        rows,
        f"The 95th percentile of one row {told}. Times differ from run to run; the served latency is judged at deployment.",
    )


def _facts(evidence: Evidence) -> dict[str, Cell]:
    name = evidence.primary
    facts: dict[str, Cell] = {_title(name): evidence.metrics[name], "test rows": len(evidence.labels)}
    if evidence.project.task == "binary_classification":
        facts["positive rows"] = f"{evidence.labels.mean():.1%}"
    if evidence.signature.classes:
        facts["accuracy"] = evidence.metrics["accuracy"]
    if evidence.champion and evidence.champion_metrics:
        facts[evidence.champion.name] = evidence.champion_metrics[name]
        if evidence.compared < len(evidence.labels):
            facts["compared on rows"] = evidence.compared
    facts["baseline"] = evidence.baseline_metrics[name]
    return facts


def _metrics_table(page: Page, evidence: Evidence) -> None:
    theirs = evidence.champion_metrics
    columns = ["metric", "model", "95 % from", "to", "baseline"]
    rows: list[list[Cell]] = []
    for name, value in evidence.metrics.items():
        low, high = (_digits(bound) for bound in evidence.intervals[name])
        row: list[Cell] = [_title(name), _digits(value), low, high, _digits(evidence.baseline_metrics[name])]
        rows.append([*row, _digits(theirs[name])] if theirs else row)
    if theirs and evidence.champion:
        columns.append(evidence.champion.name)
    baseline = evidence.baseline.name if evidence.baseline else ""
    if theirs and evidence.champion and evidence.compared < len(evidence.labels):
        _compared_table(page, evidence, theirs)
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    note = f"Intervals: bootstrap of the test rows. Baseline: {baseline}. Lower is better for errors, losses and FPR."
    page.table("Metrics", columns, rows, note)


def _compared_table(page: Page, evidence: Evidence, theirs: dict[str, float]) -> None:
    """Model and champion, where only a part of the test rows may be compared on."""
    name = evidence.champion.name if evidence.champion else "champion"
    ours = evidence.compared_metrics or {}
    rows: list[list[Cell]] = [[_title(metric), _digits(ours[metric]), _digits(theirs[metric])] for metric in ours]
    note = (
        f"The champion's rows were split otherwise: of {len(evidence.labels):,} test rows, these are the {evidence.compared:,} "
        "that were test rows for it, too."
    )
    page.table("Compared on rows that neither was trained on", ["metric", "model", name], rows, note)


def _binary(page: Page, evidence: Evidence) -> None:
    labels, scores = evidence.labels, evidence.scores
    roc, precision = ranking.roc_curve(labels, scores), ranking.precision_recall_curve(labels, scores)
    if roc:
        page.figure("ROC", plots.lines({"model": (roc.x, roc.y)}, "false positive rate", "true positive rate", True))
    if precision:
        share = float(labels.mean())
        series: Series = {"model": (precision.x, precision.y), "share of positives": ([0.0, 1.0], [share, share])}
        page.figure("Precision and recall", plots.lines(series, "recall", "precision"))
    said, seen, rows = binary.calibration(labels, scores)
    page.figure(
        "Calibration",
        plots.lines({"model": (said, seen)}, "mean predicted probability", "share of positives", True),
        f"On the diagonal, probabilities can be taken at their word. Rows by bin: {', '.join(f'{n:,}' for n in rows)}.",
    )
    page.figure(
        "Scores by class", plots.lines(_score_densities(evidence), "predicted probability", "share of the class")
    )
    best = ranking.best_f1_threshold(labels, scores)
    for title, threshold in (("at 0.5", 0.5), (f"at {best:.3f}, the best F1", best)):
        cells = binary.confusion(labels, scores, threshold)
        page.figure(f"Confusion {title}", plots.matrix(list(evidence.signature.classes), cells), _confusion_note(cells))


def _confusion_note(cells: list[list[int]]) -> str:
    (_, fp), (fn, tp) = cells
    precision, recall, f1 = tp / max(tp + fp, 1), tp / max(tp + fn, 1), 2 * tp / max(2 * tp + fp + fn, 1)
    return f"Precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}."


def _score_densities(evidence: Evidence) -> Series:
    edges = np.linspace(0, 1, _SCORE_BINS + 1)
    centres = ((edges[:-1] + edges[1:]) / 2).tolist()
    series: Series = {}
    for index, name in enumerate(evidence.signature.classes):
        counts, _ = np.histogram(evidence.scores[evidence.labels == index], edges)
        series[f"{evidence.project.label} = {name}"] = (centres, (counts / max(counts.sum(), 1)).tolist())
    return series


def _multiclass(page: Page, evidence: Evidence) -> None:
    names = list(evidence.signature.classes)
    cells = multiclass.confusion(evidence.labels, evidence.scores)
    by_class = multiclass.class_metrics(np.asarray(cells, dtype=np.float64))
    rows: list[list[Cell]] = []
    for index, name in enumerate(names):
        area = ranking.auc(evidence.labels == index, evidence.scores[:, index])
        found = [_digits(float(by_class[metric][index])) for metric in ("precision", "recall", "f1")]
        rows.append([name, int(by_class["rows"][index]), *found, _digits(area)])
    page.table("Classes", ["class", "rows", "precision", "recall", "F1", "AUC against the rest"], rows)
    page.figure("Confusion", plots.matrix(names, cells))
    sure = evidence.scores.max(axis=1)
    right = (evidence.scores.argmax(axis=1) == evidence.labels).astype(np.int64)
    said, seen, _ = binary.calibration(right, sure)
    series: Series = {"predicted class": (said, seen)}
    page.figure(
        "Calibration", plots.lines(series, "mean probability of the predicted class", "share that is right", True)
    )


def _regression(page: Page, evidence: Evidence) -> None:
    label = evidence.project.label
    said, seen = _binned(evidence.scores, evidence.labels)
    page.figure(
        "Predicted against actual",
        plots.lines(
            {"mean of each twentieth": (said, seen), "equal": (said, said)}, f"predicted {label}", f"actual {label}"
        ),
    )
    residuals = evidence.labels - evidence.scores
    low, high = np.quantile(residuals, [0.005, 0.995])
    counts, edges = np.histogram(residuals[(residuals >= low) & (residuals <= high)], _SCORE_BINS)
    page.figure(
        "Residuals",
        plots.histogram(
            edges.tolist(), counts.tolist(), f"actual minus predicted {label}", {"mean": float(residuals.mean())}
        ),
        "The outermost half per cent on either side is left out.",
    )


def _binned(scores: Array, labels: Array, bins: int = 20) -> tuple[list[float], list[float]]:
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    return [float(scores[part].mean()) for part in parts], [float(labels[part].mean()) for part in parts]


def _slices(page: Page, evidence: Evidence) -> None:
    name, least = evidence.primary, evidence.project.gates.model.slice_min_rows
    for column in evidence.project.gates.model.slices:
        parts = [part for part in evidence.slices if part.column == column]
        shown = [part for part in parts if part.interval]
        note = f"Values with fewer than {least} rows are shown and not judged; {MOST_VALUES} values at most."
        if shown:
            whole = evidence.metrics[name]
            values = {"all rows": whole, **{part.value: part.metric for part in shown}}
            limits = {
                "all rows": evidence.intervals[name],
                **{part.value: part.interval for part in shown if part.interval},
            }
            page.figure(f"{_title(name)} by {column}", plots.bars(values, _title(name), limits))
        mean = "share of positives" if evidence.signature.classes else f"mean {evidence.project.label}"
        columns = [column, "rows", mean, _title(name), "95 % from", "to"]
        page.table(f"Slices by {column}", columns, [_slice_row(part) for part in parts], note, folded=bool(shown))


def _slice_row(part: Slice) -> list[Cell]:
    low, high = part.interval or (float("nan"), float("nan"))
    return [part.value, part.rows, *(_digits(value) for value in (part.label, part.metric, low, high))]


def _digits(value: float) -> Cell:
    """A number for a page: four digits, which is more than intervals warrant; None when it is undefined."""
    return float(f"{value:.4g}") if not math.isnan(value) else None


def _title(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " ").capitalize())
