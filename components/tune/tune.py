"""Search for the hyperparameters with the lowest eval loss; with no trials, pass the project's defaults through."""

from __future__ import annotations

from pathlib import Path

from components._core.checks import Outcome
from components._core.files import write_json
from components._core.project.config_types import Hyperparameter
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.types.artifact_files import HYPERPARAMETERS


def tune_hyperparameters(
    project: Project, *, code: Path, transform_graph: Path, transformed: Path, hyperparameters: Path
) -> Outcome:
    """Try models and write the best values.

    Args:
        project: The project; `tune` says how many trials over which space, `train.hyperparameters` are the defaults.
        code: Archive of the project's code.
        transform_graph: From transform.
        transformed: From transform.
        hyperparameters: Folder for `hyperparameters.json`, `trials.json` and the page as data.

    Raises:
        UserCodeError: When build_model raises or returns no model.
        ModelError: When the model with the default values cannot be fitted.
    """
    if project.tune.trials:
        # the only way to TensorFlow: without trials this stage takes no time to speak of
        from components.tune.optuna_search import search

        return search(project, code, transform_graph, transformed, hyperparameters)
    return _pass_through(project, hyperparameters)


def _pass_through(project: Project, folder: Path) -> Outcome:
    values: dict[str, Hyperparameter] = project.train.hyperparameters
    write_json(folder / HYPERPARAMETERS, values)
    outcome = Outcome("skipped", "0 trials: defaults pass through")
    page = Page("tune", "Hyperparameters", outcome)
    page.text("No trials were asked for, so the project's own values are used. Ask for some with --trials.")
    page.table("Values", ["name", "value"], [[name, value] for name, value in sorted(values.items())])
    page.save(folder)
    return outcome
