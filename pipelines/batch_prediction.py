"""`naru predict`: answer the rows of a table with a version of a project's model, on this machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.project.project_file import load_project
from components._core.project.table_config import Sql
from components._core.project.value_rules import CREDENTIALS_REMEDY
from components._core.store.ledger import CHAMPION
from components._data.key_names import errors_name
from components._data.sources.registry import absolute_location
from components.predict.destinations.contract import Output
from components.predict.predict import Prediction, Progress, predict_table
from components.predict.scoring_table import data_for, option_names
from components.predict.versions import fetched_version
from pipelines.local.quiet import QUIET, without_warnings
from pipelines.local.runner import absolute_data
from pipelines.local.workspace import find_workspace


def predict_here(
    folder: Path,
    source: str,
    output: Output,
    version: str = CHAMPION,
    spans: str = "",
    sql: Sql | None = None,
    progress: Progress = lambda answered, rejected: None,
) -> Prediction:
    """Answer the rows of a source with a version of a project's model.

    Args:
        folder: The project's folder.
        source: The table, relative to the working directory; empty: the project's own.
        output: Where the answers go, relative to the working directory.
        version: A version that was deployed, or `champion`.
        spans: Spans to read; empty: all of a named source, of the project's own those that it names.
        sql: What of a database is the table; None: as in the project.
        progress: Called after each part.

    Raises:
        NaruError: As `predict_table`, and when there is no such version.
    """
    for option, location in {"--source": source, "--output": output.location}.items():
        if found := find_credentials(location):
            raise ConfigError(f"holds {found}", where=option, remedy=CREDENTIALS_REMEDY)
    project, workspace = load_project(folder), find_workspace(folder)
    data = absolute_data(workspace, project)
    if source or sql is not None:
        data = data_for(data, absolute_location(source, Path.cwd()) if source else data.source, spans, sql)
    elif spans:
        data = data.model_copy(update={"spans": spans})
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    where = replace(output, location=absolute_location(output.location, Path.cwd()))
    with workspace.settings_applied(), without_warnings():
        store = workspace.settings().store
        with fetched_version(store, project.name, version) as model, errors_name(option_names(source, sql)):
            return predict_table(project.model_copy(update={"data": data}), model, where, store, progress)
