"""Say which features the model goes by: for all rows, for one, and by the graph; and which of them look like leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components._core.checks import Outcome
from components._core.examples.reference_rows import Reference
from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.report.page import Page
from components._core.types.artifact_files import COMPARED, IMPORTANCES, OUTCOME
from components._frameworks.table import load_model


def explain_model(
    project: Project, *, examples: Path, model: Path, evaluation: Path, explanation: Path, page: Path
) -> Outcome:
    """Explain a model, unless its evaluation blocked it.

    `explanation` gets the outcome, the page as data and `importances.json`. A leak is a question to a person; by
    default only a first model, which no champion vouches for, is blocked by a feature that alone predicts the label (`gates.model.leaks`).

    Args:
        project: The project.
        examples: The examples artifact; its test split is explained.
        model: The model artifact.
        evaluation: The evaluation artifact.
        explanation: An empty folder.
        page: Where the rendered page goes.

    Raises:
        DataError: When no test row has a label.
        ModelError: When the model does not load, fails on the rows or answers in another shape.
    """
    judged = Outcome.load(evaluation / OUTCOME)
    if judged.verdict in ("blocked", "skipped"):
        shown = _skipped(f"not explained: {judged.reason}")
    else:
        compared = evaluation / COMPARED
        first = compared.is_file() and read_json(compared)["champion"] is None
        threshold = Reference.load(evaluation).threshold
        shown = _explained(project, model, examples, evaluation, explanation, threshold, first=first)
    shown.save(explanation)
    write_page(shown, page)
    return shown.outcome


def _skipped(reason: str) -> Page:
    page = Page("explain", "Explanation", Outcome("skipped", reason))
    page.text("The model goes no further, so it is not explained.")
    return page


def _explained(
    project: Project,
    model: Path,
    examples: Path,
    evaluation: Path,
    explanation: Path,
    threshold: float | None,
    *,
    first: bool,
) -> Page:
    # imported here: a run whose model was blocked does without them
    from components.explain.explanation_page import make_page
    from components.explain.feature_checks import as_json, judge_findings
    from components.explain.feature_findings import find
    from components.explain.importance_shift import find_shift

    found = find(project, load_model(model), examples, threshold)
    shift = find_shift(found.importances, evaluation, found.rows, project.gates.model.importance_shift)
    found = replace(found, shift=shift)
    write_json(explanation / IMPORTANCES, as_json(found))
    return make_page(found, judge_findings(found, blocks=_leaks_block(project, first=first)))


def _leaks_block(project: Project, *, first: bool) -> bool:
    """Whether a feature that alone predicts the label keeps this model from being registered."""
    if project.gates.model.leaks != "first":
        return project.gates.model.leaks == "block"
    return first and project.gates.model.first == "block"
