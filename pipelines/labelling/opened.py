"""What every command of `naru label` opens: the project, its label schema, its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.project_file import Project, load_project
from components._core.project.value_rules import CREDENTIALS_REMEDY
from components._data.sources.registry import absolute_location
from components._labels.label_schema import LabelSchema
from components._labels.label_store import LabelStore
from components.predict.scoring_table import data_for
from pipelines.local.runner import absolute_data
from pipelines.local.workspace import Workspace, find_workspace


@dataclass(frozen=True)
class Opened:
    """An opened project.

    Attributes:
        project: The project.
        workspace: Its workspace.
        schema: Its label schema, with absolute locations.
        store: The store of its labels.
    """

    project: Project
    workspace: Workspace
    schema: LabelSchema
    store: LabelStore

    @property
    def root(self) -> str:
        """Root of the object store."""
        return self.store.root

    def table(self, source: str) -> Data:
        """Return the section of the table to label.

        Args:
            source: A table, relative to the working directory; empty: the one of `labels.source`, else the project's own.

        Raises:
            ConfigError: When the location holds credentials.
        """
        if found := find_credentials(source):
            raise ConfigError(f"holds {found}", where="--source", remedy=CREDENTIALS_REMEDY)
        own = absolute_data(self.workspace, self.project)
        named = absolute_location(source, Path.cwd()) if source else self.schema.config.source
        return data_for(own, named) if named and named != own.source else own


@contextmanager
def opened(folder: Path) -> Iterator[Opened]:
    """Open a project for the time of a `with` block.

    Args:
        folder: The project's folder, or its file.

    Raises:
        ConfigError: When the project has no label schema.
    """
    project, workspace = load_project(folder), find_workspace(folder)
    schema = _schema_of(project)
    config = schema.config.located(lambda location: absolute_location(location, workspace.project))
    with workspace.settings_applied():
        store = LabelStore(workspace.settings().store, project.name)
        yield Opened(project, workspace, replace(schema, config=config), store)


def _schema_of(project: Project) -> LabelSchema:
    """Return the label schema of a project.

    Raises:
        ConfigError: When the project has none.
    """
    if project.labels is None:
        remedy = "add the section labels, as in {classes: [negative, positive]}; docs/labelling.md"
        raise ConfigError("the project has no label schema", where="project.yaml", remedy=remedy)
    return LabelSchema(project.name, project.label, project.labels, tuple(project.data.exclude))
