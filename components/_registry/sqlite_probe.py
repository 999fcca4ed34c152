"""A cheap look at MLflow's SQLite file without MLflow: what is wrong with it is better told before a run than at its end."""

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
    """Look whether MLflow's database can be used, where it is a file that is there already.

    Args:
        tracking_uri: As MLflow has it; only `sqlite:///path` is looked at.

    Raises:
        ConfigError: When it may not be read or written.
        ServiceError: When it is damaged.
    """
    path = sqlite_path(tracking_uri).absolute()
    if not tracking_uri.startswith(SQLITE) or not os.path.lexists(path):
        return
    if not path.is_file():
        raise ConfigError("MLflow's database is no file", where=str(path), remedy="move it away and run again")
    if not os.access(path, os.R_OK | os.W_OK):
        raise forbidden(str(path))
    if told := _find_damage(path):
        raise damaged(str(path), told)


def damaged(where: str, told: str) -> ServiceError:
    """The error of a database that cannot be used."""
    return ServiceError(f"MLflow's database cannot be used: {told}", where=where, remedy=_REMEDY)


def forbidden(where: str) -> ConfigError:
    """The error of a database that may not be written."""
    remedy = "correct the permissions of the file and of its folder, or name another one (MLFLOW_TRACKING_URI)"
    return ConfigError("MLflow's database may not be read and written", where=where, remedy=remedy)


def _find_damage(path: Path) -> str:
    """What SQLite finds wrong; it is opened for writing, so that what a killed process left unfinished is undone first."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=0)) as database:
            found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:  # another run is writing to it: so it works
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())
