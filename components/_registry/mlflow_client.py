"""The adapter to MLflow: opens its store quickly and atomically, and raises Naru's errors. MLflow is imported on first use."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components._core.credentials import mask_credentials, masked_uri
from components._core.errors import NaruError, ServiceError, UnavailableError
from components._core.settings import SQLITE, sqlite_path, sqlite_uri
from components._registry.sqlite_probe import damaged, forbidden

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
_NO_ROOM = ("disk is full", "disk I/O error")
_FORBIDDEN = ("unable to open database file", "readonly database")
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


class LockedError(UnavailableError):
    """Another process is writing to MLflow's database."""


def open_registry(tracking_uri: str) -> MlflowClient:
    """Open a client of the tracking and registry server; creates a missing SQLite database.

    Args:
        tracking_uri: `sqlite:///path` or `http://host:port`.

    Raises:
        ConfigError: When the database is not writable.
        ServiceError: When the database cannot be used.
        UnavailableError: When the server does not answer.
    """
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)  # MLflow's own default retries for minutes
    with registry_errors(tracking_uri):
        from mlflow.tracking import MlflowClient

        if tracking_uri.startswith(SQLITE):
            _make_database(sqlite_path(tracking_uri))
        return MlflowClient(tracking_uri, registry_uri=tracking_uri)


@contextmanager
def registry_errors(tracking_uri: str) -> Iterator[None]:
    """Turn the errors of MLflow and its database into Naru's, which say where and what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about its own pydantic models
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException
    foreign: tuple[type[Exception], ...] = (MlflowException, RequestException, *_database_errors(tracking_uri))
    try:
        yield
    except foreign as error:
        raise _translate_error(tracking_uri, error) from error


def _database_errors(tracking_uri: str) -> tuple[type[Exception], ...]:
    """Return the errors of a database that this process opens; none where MLflow is a server, which needs no driver here."""
    if tracking_uri.startswith(("http://", "https://")):
        return ()
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError,)


def _translate_error(tracking_uri: str, error: Exception) -> NaruError:
    where = masked_uri(tracking_uri)
    message = mask_credentials(next(iter(str(error).strip().splitlines()), type(error).__name__))[:300]
    if "out-of-date database schema" in message:
        remedy = f"another version of MLflow made it: back it up, then run `mlflow db upgrade {shlex.quote(where)}`"
        return ServiceError("MLflow's database has another schema", where=where, remedy=remedy)
    if tracking_uri.startswith(SQLITE) and "database is locked" in message:
        remedy = "another run or program is writing to it: wait until it has ended, or end it, then run again"
        return LockedError("MLflow's database is locked", where=where, remedy=remedy)
    if tracking_uri.startswith(SQLITE) and any(text in message for text in _NO_ROOM):
        remedy = "free some space (or raise ulimit -f) and run again; what was finished is kept"
        return ServiceError(f"no space left for MLflow's database: {message}", where=where, remedy=remedy)
    if tracking_uri.startswith(SQLITE) and any(text in message for text in _FORBIDDEN):
        return forbidden(where)
    if tracking_uri.startswith(SQLITE):
        return damaged(where, message)
    kind = UnavailableError if _is_away(error) else ServiceError
    return kind(
        f"MLflow: {message}", where=where, remedy="look at the tracking server (MLFLOW_TRACKING_URI), then run again"
    )


def _is_away(error: Exception) -> bool:
    status: Any = getattr(error, "get_http_status_code", lambda: 503)()
    return "API request to" in str(error) or status >= 500


def _make_database(path: Path) -> None:
    """Create MLflow's tables in a temporary file and link it into place, so that an interruption leaves no partial database.

    Its fifty or so migrations each end in a flush to disk; a single flush at the end suffices and saves a second.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _migrate(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass  # another run was first; its database will do
    finally:
        for leftover in path.parent.glob(f"{temporary.name}*"):
            leftover.unlink()


def _migrate(path: Path) -> None:
    import logging

    from mlflow.tracking import MlflowClient
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def without_flushes(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    event.listen(Engine, "connect", without_flushes)
    try:
        MlflowClient(sqlite_uri(path)).search_experiments(max_results=1)
    finally:
        event.remove(Engine, "connect", without_flushes)
