"""The page of evaluate: first the decision, then the numbers, the curves, the slices."""

from __future__ import annotations

from components._core.checks import Outcome
from components._core.report import plots
from components._core.report.number_format import four_digits
from components._core.report.page import Cell, Page
from components._core.report.variant_columns import variant_columns
from components._core.types.variant_table import VariantTable
from components.evaluate.evaluation_figures import FIGURES
from components.evaluate.evidence import Evidence
from components.evaluate.latency import Latency
from components.evaluate.slices import MOST_VALUES, Slice


def make_page(evidence: Evidence, outcome: Outcome) -> Page:
    """Make the reproducible part of the page; `add_latency` adds times.

    Args:
        evidence: The measurements.
        outcome: Outcome of the stage.
    """
    page = Page("evaluate", "Evaluation", outcome)
    if evidence.unusable:
        page.text(f"The model cannot be judged: {evidence.unusable}.")
        page.checks(outcome.checks)
        return page
    page.facts(_facts(evidence))
    page.checks(outcome.checks)
    _metrics_table(page, evidence)
    for name in evidence.task.figures:
        FIGURES[name](page, evidence)
    _slices(page, evidence)
    return page


def add_latency(page: Page, latencies: list[Latency], bound_ms: float) -> None:
    """Add latencies, only to the rendered page: the page as data must be reproducible.

    Args:
        page: The page, already saved as data.
        latencies: The measured latencies.
        bound_ms: `gates.serving.p95_ms`, compared with calls of one row; deploy judges the served latency.
    """
    rows: list[list[Cell]] = [[at.rows, at.calls, at.p50_ms, at.p95_ms] for at in latencies]
    slow = latencies[0].p95_ms > bound_ms
    message = f"is above the bound of {bound_ms:g} ms" if slow else f"is within the bound of {bound_ms:g} ms"
    page.table(
        "Latency in process",
        ["rows in a call", "calls", "p50, ms", "p95, ms"],
        rows,
        f"The 95th percentile of one row {message}. Times differ from run to run; the served latency is judged at deployment.",
    )


def add_variants(page: Page, table: VariantTable) -> None:
    """Add the optimised variants, only to the rendered page: they are chosen by times."""
    page.table("Optimised variants", *variant_columns(table))


def _facts(evidence: Evidence) -> dict[str, Cell]:
    task, name = evidence.task, evidence.primary.name
    facts: dict[str, Cell] = {evidence.primary.title: evidence.metrics[name], "test rows": len(evidence.labels)}
    if task.takes_positive:
        facts["positive rows"] = f"{evidence.labels.mean():.1%}"
    if "accuracy" in evidence.metrics and name != "accuracy":
        facts["accuracy"] = evidence.metrics["accuracy"]
    if evidence.threshold:
        facts["threshold"] = float(f"{evidence.threshold.value:.4g}")
    if evidence.interval and evidence.interval.value:
        facts[f"in the interval of {evidence.interval.value.coverage:g}"] = f"{evidence.interval.coverage:.1%}"
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
        low, high = (four_digits(bound) for bound in evidence.intervals[name])
        row: list[Cell] = [
            evidence.task.metric(name).title,
            four_digits(value),
            low,
            high,
            four_digits(evidence.baseline_metrics[name]),
        ]
        rows.append([*row, four_digits(theirs[name])] if theirs else row)
    if theirs and evidence.champion:
        columns.append(evidence.champion.name)
    baseline = evidence.baseline.name if evidence.baseline else ""
    if theirs and evidence.champion and evidence.compared < len(evidence.labels):
        _compared_table(page, evidence, theirs)
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    note = f"Intervals: bootstrap of the test rows. Baseline: {baseline}. Lower is better for errors, losses and FPR."
    page.table("Metrics", columns, rows, note)


def _compared_table(page: Page, evidence: Evidence, theirs: dict[str, float]) -> None:
    """Add a table of model and champion, if only a part of the test rows can be compared."""
    name = evidence.champion.name if evidence.champion else "champion"
    ours = evidence.compared_metrics or {}
    rows: list[list[Cell]] = [
        [evidence.task.metric(metric).title, four_digits(ours[metric]), four_digits(theirs[metric])] for metric in ours
    ]
    note = (
        f"The champion's rows were split differently: of {len(evidence.labels):,} test rows, {evidence.compared:,} "
        "were test rows for it too; only these are compared."
    )
    page.table("Compared on rows that neither was trained on", ["metric", "model", name], rows, note)


def _slices(page: Page, evidence: Evidence) -> None:
    metric, least = evidence.primary, evidence.project.gates.model.slice_min_rows
    for column in evidence.project.gates.model.slices:
        parts = [part for part in evidence.slices if part.column == column]
        shown = [part for part in parts if part.interval]
        note = f"Values with fewer than {least} rows are shown and not judged; {MOST_VALUES} values at most."
        if shown:
            whole = evidence.metrics[metric.name]
            values = {"all rows": whole, **{part.value: part.metric for part in shown}}
            limits = {
                "all rows": evidence.intervals[metric.name],
                **{part.value: part.interval for part in shown if part.interval},
            }
            page.figure(f"{metric.title} by {column}", plots.bars(values, metric.title, limits))
        mean = evidence.task.describe_mean_label(evidence.project.label)
        columns = [column, "rows", mean, metric.title, "95 % from", "to"]
        page.table(f"Slices by {column}", columns, [_slice_row(part) for part in parts], note, folded=bool(shown))


def _slice_row(part: Slice) -> list[Cell]:
    low, high = part.interval or (float("nan"), float("nan"))
    return [part.value, part.rows, *(four_digits(value) for value in (part.label, part.metric, low, high))]
