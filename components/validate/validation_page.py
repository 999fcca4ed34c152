"""The page of validate: the data read, the checks, each column, drift, the schema."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.checks import Outcome
from components._core.examples.artifact import SPLITS, Manifest
from components._core.project.project_file import Project
from components._core.report import plots
from components._core.report.page import Cell, Page
from components._core.types.span_units import runs_of
from components.validate.comparisons import Comparison, moved_in_words
from components.validate.dataset_schema import Schema, to_text
from components.validate.histogram_bins import bins
from components.validate.label_findings import Counts, in_order
from components.validate.pictures.picture_checks import PictureFindings
from components.validate.pictures.picture_gallery import add_galleries
from components.validate.statistics import Statistics, by_name, is_text, missing_rows
from components.validate.texts.text_checks import TextFindings
from components.validate.texts.text_excerpts import add_excerpts

MOST_FIGURES = 24
"""Maximum number of drawn columns; the table of features has the rest."""
FEW_ROWS = 24
"""Number of rows from which a table starts folded."""
MOST_ROWS = 200
_TOP = 6
_SHARE = "% of rows"
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Shown:
    """The content of the page.

    Attributes:
        project: The project.
        manifest: Manifest of the examples.
        types: Type by column, without the excluded ones.
        measured: Type by measured column: the model does not see them, and their statistics are kept.
        train: Statistics of the training rows.
        labels: Rows by label value, by split; empty for regression.
        comparisons: Comparisons for drift.
        followers: Columns that follow the span.
        schema: The effective schema.
        change: The proposed change of the reviewed schema, as a diff; empty when there is none.
        reviewed: Whether there is a reviewed schema.
        pictures: Findings about pictures; None without pictures.
        texts: Findings about each column of texts.
        examples: The examples artifact, of which some rows are shown.
    """

    project: Project
    manifest: Manifest
    types: dict[str, str]
    measured: dict[str, str]
    train: Statistics
    labels: Counts
    comparisons: tuple[Comparison, ...]
    followers: set[str]
    schema: Schema
    change: str
    reviewed: bool
    pictures: PictureFindings | None
    texts: tuple[TextFindings, ...]
    examples: Path


def make_page(shown: Shown, outcome: Outcome) -> Page:
    """Make the page.

    Args:
        shown: The content.
        outcome: Outcome of the stage.
    """
    page = Page("validate", "Data", outcome)
    page.facts(_facts(shown))
    page.checks(outcome.checks)
    if shown.pictures:
        add_galleries(page, shown.pictures, shown.manifest.columns)
    add_excerpts(page, shown.texts, shown.examples, shown.manifest, shown.project.label)
    _schema_change(page, shown)
    _label(page, shown)
    _feature_table(page, shown)
    _left_out(page, shown)
    _dropped(page, shown)
    _figures(page, shown)
    for comparison in shown.comparisons:
        _drift_table(page, comparison, shown)
    page.code("Effective schema", to_text(shown.schema), "The model takes these columns, with these types.")
    return page


def _facts(shown: Shown) -> dict[str, Cell]:
    facts: dict[str, Cell] = {f"{split} rows": shown.manifest.rows.get(split, 0) for split in SPLITS}
    facts["columns"] = len(shown.types)
    spans, unit = shown.manifest.spans, shown.manifest.unit
    if len(spans) > 1:
        is_whole = len(runs_of([unit.position(span) for span in spans])) == 1
        facts["spans"] = f"{unit.label(spans[0])} to {unit.label(spans[-1])}" if is_whole else len(spans)
    if excluded := len(shown.project.data.exclude):
        facts["excluded columns"] = excluded
    return facts


def _schema_change(page: Page, shown: Shown) -> None:
    name = shown.project.schema_file
    if shown.change:
        note = f"If the data is right, put this change into {name} and run again; if it is wrong, fix the source."
        page.code("Schema change that the data needs", shown.change, note, folded=False)
    elif not shown.reviewed:
        page.text(
            f"The schema below was inferred. Kept as {name} beside project.yaml, later data is validated against it.",
            "Schema",
        )


def _label(page: Page, shown: Shown) -> None:
    """Add the label's distribution: counts by class, or a histogram."""
    label, counts = shown.project.label, shown.labels.get("train")
    if counts:
        values = in_order(counts)
        total = sum(values.values())
        shares = {value: 100 * rows / total for value, rows in list(values.items())[:_MOST_CLASSES]}
        note = f"The first {len(shares)} of {len(values)} values." if len(values) > len(shares) else ""
        page.figure(f"Label: {label}", plots.bars(shares, _SHARE, compact=True), note)
    elif (feature := by_name(shown.train).get(label)) is not None and not is_text(feature):
        _draw(page, f"Label: {label}", feature)


def _feature_table(page: Page, shown: Shown) -> None:
    types = shown.types | shown.measured
    rows = [_feature_row(name, types[name], feature, shown) for name, feature in by_name(shown.train).items()]
    columns = ["column", "type", "missing, %", "distinct", "min", "median", "max", "most frequent"]
    note = "Computed on the training rows. Distinct values are counted for text, by a sketch: large numbers are approximate."
    if len(rows) > MOST_ROWS:
        note += f" The first {MOST_ROWS} of {len(rows)} columns are listed; statistics.binpb has all."
    page.table("Columns", columns, rows[:MOST_ROWS], note, folded=len(rows) > FEW_ROWS)


def _left_out(page: Page, shown: Shown) -> None:
    """Add the excluded columns, with the project's reasons if any."""
    project = shown.project
    rows: list[list[Cell]] = [
        [name, shown.manifest.columns.get(name, "not in the data"), project.data.exclusion_reasons.get(name, "")]
        for name in project.data.exclude
    ]
    if rows:
        note = "Listed under data.exclude; data.exclusion_reasons says why."
        page.table("Left out", ["column", "type", "why"], rows[:MOST_ROWS], note, folded=len(rows) > FEW_ROWS)


def _dropped(page: Page, shown: Shown) -> None:
    """Add the rows that ingest left out, by rule."""
    dropped = shown.manifest.dropped
    if not dropped:
        return
    read = sum(shown.manifest.rows.values()) + sum(dropped.values())
    rows: list[list[Cell]] = [[name, count, 100 * count / read] for name, count in dropped.items()]
    page.table("Rows left out", ["rule", "rows", "%"], rows, f"By data.rows, of {read:,} rows, before the splits.")


def _feature_row(name: str, kind: str, feature: Any, shown: Shown) -> list[Cell]:
    rows = int(shown.train.num_examples)
    role = " (label)" if name == shown.project.label else " (measured)" if name in shown.measured else ""
    shown_name = f"{name}{role}"
    gaps = round(100 * missing_rows(feature, rows) / rows, 2) if rows else None
    if is_text(feature):
        values = [] if name in _not_shown(shown) else feature.string_stats.top_values[:3]
        top = [f"{value.value} ({value.frequency / rows:.0%})" for value in values]
        return [shown_name, kind, gaps, int(feature.string_stats.unique), None, None, None, ", ".join(top)]
    numbers = feature.num_stats
    if not numbers.common_stats.num_non_missing:
        return [shown_name, kind, gaps, 0, None, None, None, ""]
    return [shown_name, kind, gaps, None, *(_digits(value) for value in (numbers.min, numbers.median, numbers.max)), ""]


def _not_shown(shown: Shown) -> set[str]:
    """Return the columns whose values are not shown: of pictures, which are digests here, and of texts, which may have personal data."""
    pictures = [shown.pictures.pictures.column] if shown.pictures else []
    return {*pictures, *(column.texts.column for column in shown.texts)}


def _figures(page: Page, shown: Shown) -> None:
    apart = {shown.project.label, *_not_shown(shown)}
    features = {name: feature for name, feature in by_name(shown.train).items() if name not in apart}
    drawn = list(features.items())[:MOST_FIGURES]
    for name, feature in drawn:
        _draw(page, name, feature)
    if len(features) > len(drawn):
        page.text(f"The first {len(drawn)} of {len(features)} features are drawn.")


def _draw(page: Page, title: str, feature: Any) -> None:
    if is_text(feature):
        rows = feature.string_stats.common_stats.num_non_missing
        values = {value.value: 100 * value.frequency / rows for value in feature.string_stats.top_values[:_TOP]}
        if values:
            more = int(feature.string_stats.unique) - len(values)
            page.figure(title, plots.bars(values, _SHARE, compact=True), f"{more:,} more values." if more > 0 else "")
        return
    numbers = feature.num_stats
    if numbers.min == numbers.max:
        return
    edges, counts, note = bins(feature)
    marks = {"median": median} if edges[0] <= (median := float(numbers.median)) <= edges[-1] else {}
    page.figure(title, plots.histogram(edges, counts, title, marks, compact=True), note)


def _drift_table(page: Page, comparison: Comparison, shown: Shown) -> None:
    if not comparison.shifts:
        return
    limit = shown.project.gates.data.drift
    ordered = sorted(comparison.shifts, key=lambda shift: (math.isnan(shift.distance), -shift.distance, shift.feature))
    rows: list[list[Cell]] = [
        [
            shift.feature,
            shift.measure.split()[0],
            None if math.isnan(shift.distance) else round(shift.distance, 4),
            "follows the span" if shift.feature in shown.followers else "drifted" if shift.distance > limit else "",
            shift.before,
            shift.after,
            moved_in_words(shift),
        ]
        for shift in ordered[:MOST_ROWS]
    ]
    columns = ["column", "measure", "distance", "verdict", "then", "now", "most moved (share then -> now)"]
    note = f"{int(comparison.before.num_examples) if comparison.before else 0:,} rows then, {int(comparison.after.num_examples):,} now; "
    note += f"beyond {limit:g} a column has drifted (gates.data.drift)."
    if len(ordered) > MOST_ROWS:
        note += f" The {MOST_ROWS} furthest moved of {len(ordered)} are listed."
    page.table(f"Drift against {comparison.name}", columns, rows, note, folded=len(rows) > FEW_ROWS)


def _digits(value: float) -> float:
    """Round to six digits; a whole number, such as an identifier or a year, keeps all of its digits."""
    return float(value) if float(value).is_integer() else float(f"{value:.6g}")
