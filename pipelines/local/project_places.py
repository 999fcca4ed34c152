"""Check before a run that its folders can be written and that MLflow's database is intact."""

from __future__ import annotations

import os
from pathlib import Path

from components._core.errors import ConfigError
from components._core.settings import SQLITE
from components._registry.sqlite_probe import check_database
from pipelines.local.workspace import Workspace


def check_folders(workspace: Workspace) -> None:
    """Check that a run can write its results; creates nothing.

    Raises:
        ConfigError: When something else is in the place of a folder, or it cannot be written.
        ServiceError: When MLflow's database is damaged.
    """
    for folder in _folders(workspace):
        _check_folder(folder)
    check_database(workspace.settings().tracking_uri)


def _folders(workspace: Workspace) -> list[Path]:
    """List the local folders that a run writes to."""
    settings = workspace.settings()
    folders = [workspace.home, workspace.runs, workspace.code, workspace.cache]
    store = settings.store.removeprefix("file://")
    if "://" not in store:
        folders.append(Path(store))
    if settings.tracking_uri.startswith(SQLITE):
        folders.append(Path(settings.tracking_uri.removeprefix(SQLITE)).parent)
    return folders


def _check_folder(folder: Path) -> None:
    """Check a folder, or the nearest existing parent."""
    here = folder.absolute()
    there = next(place for place in (here, *here.parents) if os.path.lexists(place))
    if not there.is_dir():
        remedy = "something else is in the place of this folder: move it away and run again"
        raise ConfigError("is not a folder", where=str(there), remedy=remedy)
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        remedy = "correct its permissions, or copy the project elsewhere (NARU_STORE names another store)"
        raise ConfigError("cannot be read and written", where=str(there), remedy=remedy)
