"""`naru predict`: answer the rows of a table with a version of a project's model, on this machine."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.project_file import Project, load_project
from components._core.project.table_config import Sql
from components._core.store.file_digests import digest_of_model, fetch_version
from components._core.store.ledger import Deployment, read_deployments
from components._core.suggestions import suggest
from components._data.sources.registry import absolute_location, is_database
from components.predict.destinations.contract import Output
from components.predict.predict import ModelVersion, Prediction, predict_table
from pipelines.local.runner import absolute_data
from pipelines.local.workspace import find_workspace

CHAMPION = "champion"
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}


def predict_here(
    folder: Path,
    source: str,
    output: Output,
    version: str = CHAMPION,
    spans: str = "",
    sql: Sql | None = None,
    progress: Callable[[int, int], None] = lambda answered, rejected: None,
) -> Prediction:
    """Answer the rows of a source with a version of a project's model.

    Args:
        folder: The project's folder.
        source: The table, relative to the working directory; empty: the project's own.
        output: Where the answers go, relative to the working directory.
        version: A version that was deployed, or `champion`.
        spans: Spans to read; empty: all of a named source, of the project's own those that it names.
        sql: What of a database is the table; None: as in the project.
        progress: Called after each part with the numbers of answered and rejected rows so far.

    Raises:
        NaruError: As `predict_table`, and when there is no such version.
    """
    project, workspace = load_project(folder), find_workspace(folder)
    data = absolute_data(workspace, project)
    data = data.model_copy(update={"spans": spans}) if spans else data
    if source or sql is not None:
        data = _with_source(data, absolute_location(source, Path.cwd()) if source else data.source, spans, sql)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with workspace.settings_applied():
        store = workspace.settings().store
        chosen = _find_version(store, project, version, folder)
        where = replace(output, location=absolute_location(output.location, Path.cwd()))
        with tempfile.TemporaryDirectory(prefix="naru-predict-") as temporary:
            name = chosen.model.rstrip("/").rpartition("/")[2]
            parts = fetch_version(chosen.model, chosen.registration_sha256, Path(temporary), (name,))
            model = ModelVersion(chosen.version, parts / name, digest_of_model(parts / name))
            return predict_table(project.model_copy(update={"data": data}), model, where, store, progress)


def _with_source(data: Data, source: str, spans: str, sql: Sql | None) -> Data:
    """Return the section for another table, whose format is recognised by its content."""
    new = {"source": source, "format": "", "spans": spans or "all"}
    if not is_database(source):
        if sql is not None:
            remedy = "leave them out, or name a database with --source"
            raise ConfigError("--source-table and --source-query are for databases", where=source, remedy=remedy)
        return data.model_copy(update={**new, "sql": None})
    if sql is None and data.sql is None:
        remedy = "name it with --source-table, or give a SELECT with --source-query"
        raise ConfigError("which table of this database?", where=source, remedy=remedy)
    return data.model_copy(update={**new, "sql": sql or data.sql})


def _find_version(store: str, project: Project, version: str, folder: Path) -> Deployment:
    lines = read_deployments(store, project.name)
    if not lines:
        remedy = f"train and deploy one: naru run {shlex.quote(str(folder))}"
        raise ConfigError("has no version to predict with yet", where=project.name, remedy=remedy)
    if version == CHAMPION:
        return lines[-1]
    found = [line for line in lines if line.version == version.removeprefix("v")]
    if not found:
        known = list(dict.fromkeys(line.version for line in lines))
        message = f"there is no deployed version {version!r}; {suggest(version, [*known, CHAMPION])}"
        raise ConfigError(message, where="--version", remedy="naru ledger shows what was deployed when")
    return found[-1]
