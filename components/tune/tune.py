"""Search for a model, or for the hyperparameters of the project's own; without a search, use the project's defaults."""

from __future__ import annotations

from pathlib import Path

from components._core.checks import Outcome
from components._core.files import write_json
from components._core.project.config_types import Hyperparameter
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.types.artifact_files import HYPERPARAMETERS
from components._frameworks.table import find_framework


def tune_hyperparameters(
    project: Project, *, code: Path, transform_graph: Path, transformed: Path, hyperparameters: Path
) -> Outcome:
    """Try models and write the best values, of a search over kinds of model with the kind.

    Args:
        project: The project; `tune` says how many trials over which space or kinds, `train.hyperparameters` are the defaults.
        code: Archive of the project's code.
        transform_graph: Output of transform.
        transformed: Output of transform.
        hyperparameters: Folder for `hyperparameters.json`, `trials.json` and the page as data.

    Raises:
        UserCodeError: When build_model raises or does not return a model.
        ModelError: When the model with the default values cannot be fitted.
    """
    if project.tune.models is not None:
        from components.tune.search_kinds import search_kinds

        return search_kinds(project, code, transform_graph, transformed, hyperparameters)
    if project.tune.trials:
        # imported late: without trials this stage needs no TensorFlow and takes almost no time
        from components.tune.optuna_search import search

        return search(project, code, transform_graph, transformed, hyperparameters)
    if not find_framework(project.code.framework, "code.framework").has_fit:
        return _skip(project, hyperparameters)
    return _use_defaults(project, hyperparameters)


def _skip(project: Project, folder: Path) -> Outcome:
    write_json(folder / HYPERPARAMETERS, {})
    outcome = Outcome("skipped", f"{project.code.model} is a finished model: there is nothing to search")
    page = Page("tune", "Hyperparameters", outcome)
    page.text(f"{project.code.model} was trained elsewhere, so it has no hyperparameters here.")
    page.save(folder)
    return outcome


def _use_defaults(project: Project, folder: Path) -> Outcome:
    values: dict[str, Hyperparameter] = project.train.hyperparameters
    write_json(folder / HYPERPARAMETERS, values)
    outcome = Outcome("skipped", "0 trials: the defaults are used")
    page = Page("tune", "Hyperparameters", outcome)
    page.text("No trials were requested, so the project's own values are used. Request some with --trials.")
    page.table("Values", ["name", "value"], [[name, value] for name, value in sorted(values.items())])
    page.save(folder)
    return outcome
