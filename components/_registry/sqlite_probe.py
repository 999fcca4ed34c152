"""A cheap check of MLflow's SQLite file without MLflow, which reports problems before a run instead of at its end."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from components._core.errors import ConfigError, ServiceError
from components._core.settings import SQLITE, sqlite_path

_REMEDY = "move the file away and run again; models and the deployment ledger are in the store and stay"


def check_database(tracking_uri: str) -> None:
    """Check that MLflow's database can be used, where it is an existing file.

    Args:
        tracking_uri: MLflow's tracking URI; only `sqlite:///path` is checked.

    Raises:
        ConfigError: When the file is not readable or not writable.
        ServiceError: When the file is damaged.
    """
    path = sqlite_path(tracking_uri).absolute()
    if not tracking_uri.startswith(SQLITE) or not os.path.lexists(path):
        return
    if not path.is_file():
        raise ConfigError("MLflow's database is not a file", where=str(path), remedy="move it away and run again")
    if not os.access(path, os.R_OK | os.W_OK):
        raise forbidden(str(path))
    if message := _find_damage(path):
        raise damaged(str(path), message)


def damaged(where: str, message: str) -> ServiceError:
    """Make the error for a database that cannot be used."""
    return ServiceError(f"MLflow's database cannot be used: {message}", where=where, remedy=_REMEDY)


def forbidden(where: str) -> ConfigError:
    """Make the error for a database that is not writable."""
    remedy = "correct the permissions of the file and of its folder, or name another one (MLFLOW_TRACKING_URI)"
    return ConfigError("no permission to read and write MLflow's database", where=where, remedy=remedy)


def _find_damage(path: Path) -> str:
    """Return what SQLite finds wrong; opens it for writing, which first rolls back what a killed process left unfinished."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=0)) as database:
            found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:  # another run is writing to it, so it works
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())
