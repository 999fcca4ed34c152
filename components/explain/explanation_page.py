"""The page of explain: what matters, how it was measured, how the score depends on it, a few rows."""

from __future__ import annotations

import base64

from components._core.checks import Outcome
from components._core.pictures.thumbnails import thumbnail_uri
from components._core.report import plots
from components._core.report.page import Cell, Page, Picture
from components._core.types.tasks import TASKS
from components._core.types.texts import shorten
from components.explain.dependence import Dependence
from components.explain.effects import exclude_line, find_unneeded
from components.explain.feature_findings import ExplainedRow, Findings
from components.explain.picture_parts import draw_overlay
from components.explain.value_parts import ValueParts

_MOST_FEATURES = 30
_MOST_PARTS = 10
_MOST_CHARACTERS = 200
_OVERLAY_SIDE = 192


def make_page(found: Findings, outcome: Outcome) -> Page:
    """Everything there is to show.

    Args:
        found: What was found.
        outcome: How it was judged.
    """
    page = Page("explain", "Explanation", outcome)
    top = next(iter(found.importances), "")
    page.facts(
        {
            "most important": top,
            "its share": f"{found.share.get(top, 0.0):.0%}",
            "features": len(found.importances),
            "rows looked at": found.rows,
        }
    )
    page.checks(outcome.checks)
    _importance(page, found)
    _features(page, found)
    _structure(page, found)
    _shift(page, found)
    _effects(page, found)
    for feature, dependence in found.dependence.items():
        page.figure(
            f"The score by {feature}",
            _dependence_plot(feature, dependence, _score_name(found)),
            _dependence_note(found),
        )
    for row in found.examples:
        _row(page, row)
    return page


def _importance(page: Page, found: Findings) -> None:
    metric = found.project.primary_metric()
    shown = dict(list(found.importances.items())[:_MOST_FEATURES])
    values = {feature: item.drop for feature, item in shown.items()}
    limits = {feature: (item.low, item.high) for feature, item in shown.items()}
    word = "rises" if metric.lower_is_better else "drops"
    page.figure(
        "Permutation importance",
        plots.bars(values, f"how much {metric.name} {word} when the feature is shuffled", limits),
        f"{found.repeats} shuffles on {found.rows:,} of {found.total:,} test rows; whiskers are the least and the greatest of them. "
        "Features that say the same as another one look less important than they are.",
    )


def _features(page: Page, found: Findings) -> None:
    types = {feature.name: feature.dtype for feature in found.signature.inputs}
    contribution = found.shapley.typical()
    gradient = {} if found.gradients is None else found.gradients.typical()
    rows: list[list[Cell]] = []
    for name, item in found.importances.items():
        numbers: list[Cell] = [_digits(item.drop), _digits(found.share.get(name, 0.0)), _digits(found.power[name])]
        slope = _digits(gradient[name]) if name in gradient else None
        used = "no" if name in found.ignored else "yes"
        rows.append([name, types[name], *numbers, _digits(contribution[name]), slope, used])
    columns = ["feature", "type", "importance", "share", "alone", "Shapley", "integrated gradient", "used"]
    page.table("Features", columns, rows, _feature_note(found))


def _effects(page: Page, found: Findings) -> None:
    if not found.effects:
        return
    rows: list[list[Cell]] = [
        [
            name,
            _digits(found.importances[name].drop),
            _digits(effect.limit),
            _digits(effect.reduction),
            _digits(effect.low),
            effect.answer,
        ]
        for name, effect in found.effects.items()
    ]
    page.table(
        "Effective and unneeded features",
        ["feature", "shuffled", "by chance", "loss", "at least", "answer"],
        rows,
        f"Shuffled: the loss in {found.project.primary_metric().name} over {found.rows:,} rows, effective above what chance does to a "
        f"feature without use. Loss: the Shapley value of the reduction of the loss over {next(iter(found.effects.values())).rows:,} rows, effective "
        "when its lower 95 % limit is above zero. Unneeded: by both methods; disputed: by one.",
    )
    if unneeded := find_unneeded(found.effects):
        page.code(
            "Proposed for project.yaml",
            f"data:\n  {exclude_line(found.project.data.exclude, unneeded)}",
            "Measure first what the model loses, with `naru ablate`; then take these columns out of the project's code, too.",
            folded=False,
        )


def _structure(page: Page, found: Findings) -> None:
    """What the model's own structure goes by: of its features, or of what a preprocessing_fn makes of them."""
    if found.structure is None:
        return
    values = sorted(found.structure.values.items(), key=lambda item: (-item[1], item[0]))
    total = sum(found.structure.values.values()) or 1.0
    rows: list[list[Cell]] = [[name, _digits(value), _digits(value / total)] for name, value in values[:_MOST_FEATURES]]
    agreement = found.structure_agreement
    compared = "" if agreement != agreement else f" Rank correlation with permutation importance: {agreement:.2f}."
    of = "feature" if found.structure.raw else "transformed feature"
    note = f"The {found.structure.method}, learned from the training rows.{compared}"
    page.table("What the model's structure goes by", [of, "sum", "share"], rows, note)


def _shift(page: Page, found: Findings) -> None:
    """The shares of importance beside the champion's."""
    shift = found.shift
    if shift is None or shift.moves is None:
        return
    rows: list[list[Cell]] = [
        [
            name,
            None if move.before is None else _digits(move.before),
            None if move.after is None else _digits(move.after),
            _digits(move.change),
            "yes" if move.is_moved else "no",
        ]
        for name, move in list(shift.moves.items())[:_MOST_FEATURES]
    ]
    correlation = "" if shift.correlation != shift.correlation else f" Rank correlation: {shift.correlation:.2f}."
    page.table(
        f"Importance beside {shift.champion}",
        ["feature", "share before", "share now", "change", "moved"],
        rows,
        f"Shares of all permutation importance, both models on the same test rows.{correlation} Moved: by more than "
        f"{found.project.gates.model.importance_shift:g}, and by more than the shuffles differ.",
    )


def _feature_note(found: Findings) -> str:
    rows = f"over {len(found.shapley.moved):,} rows"
    alone = "the AUC" if TASKS[found.project.task].has_classes else "the absolute rank correlation"
    if found.gradients is None:
        return (
            f"Alone: {alone} of the feature by itself. Shapley: the mean absolute part in the score's way from "
            f"the typical row (medians, most frequent texts), {rows}; the model's framework has no gradients."
        )
    texts = [feature.name for feature in found.signature.inputs if feature.type.is_text]
    slopes = f" Texts have no slope ({', '.join(texts[:5])}{', ...' if len(texts) > 5 else ''})." if texts else ""
    return (
        f"Alone: {alone} of the feature by itself. Shapley and integrated gradient: the mean absolute part in the score's way from "
        f"the typical row (medians, most frequent texts), {rows}; the gradients miss "
        f"{found.gradients.completeness_error():.1%} of it.{slopes}"
    )


def _dependence_plot(feature: str, dependence: Dependence, score: str) -> str:
    numbers = [float(value) for value in dependence if not isinstance(value, str)]
    if numbers:
        return plots.lines({score: (numbers, list(dependence.values()))}, feature, score)
    return plots.bars({str(value) or "(missing)": mean for value, mean in dependence.items()}, score)


def _dependence_note(found: Findings) -> str:
    return "Partial dependence: the mean over rows in which only this feature was set."


def _score_name(found: Findings) -> str:
    task, project = TASKS[found.project.task], found.project
    return f"mean {task.describe_score(project.label, found.signature.classes, found.dependent_class)}"


def _row(page: Page, row: ExplainedRow) -> None:
    parts = sorted(row.parts.items(), key=lambda item: (-abs(item[1]), item[0]))[:_MOST_PARTS]
    pictures = {each.feature for each in row.inside if each.columns}
    rows: list[list[Cell]] = [
        [name, "(picture)" if name in pictures else _value(row.values[name]), _digits(part)] for name, part in parts
    ]
    note = (
        f"From {row.start:.4g} for the typical row to {row.score:.4g}: Shapley values, the largest {len(rows)} parts."
    )
    page.table(f"One row: {row.title}", ["feature", "value", "part in the score"], rows, note)
    for inside in row.inside:
        if inside.columns:
            _areas(page, row, inside)
        else:
            _words(page, row, inside)


def _areas(page: Page, row: ExplainedRow, inside: ValueParts) -> None:
    """The picture, and what each of its areas adds."""
    over = base64.b64encode(draw_overlay(inside.value, inside.values, inside.columns, _OVERLAY_SIDE)).decode("ascii")
    shown = [
        Picture(thumbnail_uri(base64.urlsafe_b64decode(inside.value), _OVERLAY_SIDE), [inside.feature]),
        Picture(f"data:image/png;base64,{over}", [f"at most {max(map(abs, inside.values)):.4g} an area"]),
    ]
    page.pictures(
        f"Areas of {inside.feature}: {row.title}",
        shown,
        f"Blue raises the score, orange lowers it. {_inside_note(inside)}",
    )


def _words(page: Page, row: ExplainedRow, inside: ValueParts) -> None:
    """The words that add most, in reading order."""
    largest = sorted(range(len(inside.parts)), key=lambda place: -abs(inside.values[place]))[:_MOST_PARTS]
    rows: list[list[Cell]] = [
        [shorten(inside.parts[place]), _digits(inside.values[place]), _digits(inside.alone[place])]
        for place in sorted(largest)
    ]
    page.table(
        f"Words of {inside.feature}: {row.title}", ["words", "Shapley", "left out alone"], rows, _inside_note(inside)
    )


def _inside_note(inside: ValueParts) -> str:
    covered = "covered with the mean colour" if inside.columns else "left out"
    agreement = inside.agreement.spearman
    compared = "" if agreement != agreement else f" Rank correlation with each {covered} alone: {agreement:.2f}."
    return f"Shapley values, from {inside.base:.4g} with all {covered} to {inside.score:.4g}.{compared}"


def _value(value: object) -> Cell:
    if isinstance(value, float):
        return "(missing)" if value != value else float(f"{value:.6g}")
    return value if isinstance(value, int) else shorten(str(value), _MOST_CHARACTERS) or "(missing)"


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
