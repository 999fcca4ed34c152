"""The figures of the evaluation page, named as in a task's list of figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from components._core.report import plots
from components._core.report.number_format import four_digits
from components._core.report.page import Cell, Page
from components._core.types.metrics import binary, multiclass, ranking
from components._core.types.metrics.row_sums import Array
from components.evaluate.evidence import Evidence

_BINS = 40
Series = dict[str, tuple[Sequence[float], Sequence[float]]]


def roc(page: Page, evidence: Evidence) -> None:
    """Draw the ROC curve; nothing if all rows are of one class."""
    curve = ranking.roc_curve(evidence.labels, evidence.scores)
    if curve:
        series: Series = {"model": (curve.x, curve.y)}
        page.figure("ROC", plots.lines(series, "false positive rate", "true positive rate", True))


def precision_recall(page: Page, evidence: Evidence) -> None:
    """Draw precision over recall; nothing if no row is positive."""
    curve = ranking.precision_recall_curve(evidence.labels, evidence.scores)
    if curve:
        share = float(evidence.labels.mean())
        series: Series = {"model": (curve.x, curve.y), "share of positives": ([0.0, 1.0], [share, share])}
        page.figure("Precision and recall", plots.lines(series, "recall", "precision"))


def calibration(page: Page, evidence: Evidence) -> None:
    """Draw the share of positive rows over the predicted probability."""
    said, seen, rows = binary.calibration(evidence.labels, evidence.scores)
    page.figure(
        "Calibration",
        plots.lines({"model": (said, seen)}, "mean predicted probability", "share of positives", True),
        f"On the diagonal, predicted probabilities equal the observed shares. Rows by bin: {', '.join(f'{n:,}' for n in rows)}.",
    )


def scores_by_class(page: Page, evidence: Evidence) -> None:
    """Draw the distribution of the probability over the rows of each class."""
    edges = np.linspace(0, 1, _BINS + 1)
    centres = ((edges[:-1] + edges[1:]) / 2).tolist()
    series: Series = {}
    for index, name in enumerate(evidence.signature.classes):
        counts, _ = np.histogram(evidence.scores[evidence.labels == index], edges)
        series[f"{evidence.project.label} = {name}"] = (centres, (counts / max(counts.sum(), 1)).tolist())
    page.figure("Scores by class", plots.lines(series, "predicted probability", "share of the class"))


def confusion_by_threshold(page: Page, evidence: Evidence) -> None:
    """Draw the confusion matrices at the model's threshold and at the one with the best F1 of the test rows."""
    best = ranking.best_f1_threshold(evidence.labels, evidence.scores)
    ours = evidence.threshold.value if evidence.threshold else binary.THRESHOLD
    our_title = f"at {ours:.3g}, the model's threshold" if evidence.threshold else f"at {ours}"
    for title, threshold in ((our_title, ours), (f"at {best:.3f}, the best F1", best)):
        cells = binary.confusion(evidence.labels, evidence.scores, threshold)
        page.figure(f"Confusion {title}", plots.matrix(list(evidence.signature.classes), cells), _confusion_note(cells))


def _confusion_note(cells: list[list[int]]) -> str:
    (_, fp), (fn, tp) = cells
    precision, recall, f1 = tp / max(tp + fp, 1), tp / max(tp + fn, 1), 2 * tp / max(2 * tp + fp + fn, 1)
    return f"Precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}."


def classes(page: Page, evidence: Evidence) -> None:
    """Add a table with precision, recall, F1 and AUC of each class."""
    cells = multiclass.confusion(evidence.labels, evidence.scores)
    by_class = multiclass.class_metrics(np.asarray(cells, dtype=np.float64))
    rows: list[list[Cell]] = []
    for index, name in enumerate(evidence.signature.classes):
        area = ranking.auc(evidence.labels == index, evidence.scores[:, index])
        found = [four_digits(float(by_class[metric][index])) for metric in ("precision", "recall", "f1")]
        rows.append([name, int(by_class["rows"][index]), *found, four_digits(area)])
    page.table("Classes", ["class", "rows", "precision", "recall", "F1", "AUC against the rest"], rows)


def confusion(page: Page, evidence: Evidence) -> None:
    """Draw the confusion matrix of the predicted classes."""
    cells = multiclass.confusion(evidence.labels, evidence.scores)
    page.figure("Confusion", plots.matrix(list(evidence.signature.classes), cells))


def calibration_of_predicted_class(page: Page, evidence: Evidence) -> None:
    """Draw the share of correct predictions over the probability of the predicted class."""
    sure = evidence.scores.max(axis=1)
    right = (evidence.scores.argmax(axis=1) == evidence.labels).astype(np.int64)
    said, seen, _ = binary.calibration(right, sure)
    series: Series = {"predicted class": (said, seen)}
    page.figure("Calibration", plots.lines(series, "mean probability of the predicted class", "share correct", True))


def predicted_against_actual(page: Page, evidence: Evidence) -> None:
    """Draw the mean label over the mean prediction, in twentieths of the rows."""
    label = evidence.project.label
    said, seen = _binned(evidence.scores, evidence.labels)
    series: Series = {"mean of each twentieth": (said, seen), "equal": (said, said)}
    page.figure("Predicted against actual", plots.lines(series, f"predicted {label}", f"actual {label}"))


def _binned(scores: Array, labels: Array, bins: int = 20) -> tuple[list[float], list[float]]:
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    return [float(scores[part].mean()) for part in parts], [float(labels[part].mean()) for part in parts]


def residuals(page: Page, evidence: Evidence) -> None:
    """Draw the distribution of label minus prediction."""
    found = evidence.labels - evidence.scores
    low, high = np.quantile(found, [0.005, 0.995])
    counts, edges = np.histogram(found[(found >= low) & (found <= high)], _BINS)
    axis = f"actual minus predicted {evidence.project.label}"
    page.figure(
        "Residuals",
        plots.histogram(edges.tolist(), counts.tolist(), axis, {"mean": float(found.mean())}),
        "The outermost half per cent on either side is not shown.",
    )


FIGURES: dict[str, Callable[[Page, Evidence], None]] = {
    "roc": roc,
    "precision_recall": precision_recall,
    "calibration": calibration,
    "scores_by_class": scores_by_class,
    "confusion_by_threshold": confusion_by_threshold,
    "classes": classes,
    "confusion": confusion,
    "calibration_of_predicted_class": calibration_of_predicted_class,
    "predicted_against_actual": predicted_against_actual,
    "residuals": residuals,
}
