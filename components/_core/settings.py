"""Settings from the environment: read on call, never at import."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.setting_names import NAMESPACE, PYTHON, SERVING, STORE, TRACKING

SQLITE = "sqlite:///"
_SQLITE_FILE = "file:"
_ODD = frozenset("%?")
MODELS_NAMESPACE = "naru-models"
LOCAL = "local"
"""Name of the default deployment target, that of a laptop."""


@dataclass(frozen=True)
class Settings:
    """The settings in the environment.

    Attributes:
        store: Root of the object store: a folder on a laptop, `s3://bucket/prefix` on a cluster. Environment:
            `NARU_STORE`; default `.naru/store` in the working directory.
        tracking_uri: MLflow's tracking and registry server. Environment: `MLFLOW_TRACKING_URI`; default: SQLite beside
            the store.
        serving: Name of the deployment target: `local` starts a server on loopback, `seldon` rolls a version out on the
            cluster that this runs in or that KUBECONFIG names, `none` deploys nowhere. The valid names are in the table
            of targets (`components/deploy/targets/table.py`), which the core may not import: the caller looks the name
            up there. Environment: `NARU_SERVING`; default `local`.
        namespace: Namespace of the servers on a cluster. Environment: `NARU_SERVING_NAMESPACE`; default `naru-models`.
        python: Interpreter with which a stage starts further Naru processes. Environment: `NARU_PYTHON`; default: the
            interpreter that runs the stage.
    """

    store: str
    tracking_uri: str
    serving: str = LOCAL
    namespace: str = MODELS_NAMESPACE
    python: str = sys.executable

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings now.

        Raises:
            ConfigError: When the store's address holds credentials.
        """
        store = _without_credentials(os.environ.get(STORE, "")) or str(Path(".naru/store").absolute())
        tracking = os.environ.get(TRACKING) or sqlite_uri(Path(store).parent / "mlflow.db")
        python = os.environ.get(PYTHON) or sys.executable
        return cls(
            store=store,
            tracking_uri=tracking,
            serving=os.environ.get(SERVING) or LOCAL,
            namespace=os.environ.get(NAMESPACE) or MODELS_NAMESPACE,
            python=python,
        )


def _without_credentials(store: str) -> str:
    if found := find_credentials(store):
        remedy = "remove it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment open a store at s3://"
        raise ConfigError(f"the store's address holds {found}", where=f"environment variable {STORE}", remedy=remedy)
    return store


def sqlite_uri(path: Path) -> str:
    """Return the address of a SQLite database for SQLAlchemy, and so for MLflow; most paths are used unchanged.

    Versions of SQLAlchemy differ in whether they decode `%20`, and the older one reads what follows a `?` as options,
    so the installed one is tried; what neither form can express is written in SQLite's own. Encoded, the path has no
    slash: MLflow creates the folder that it sees in an address, without decoding it.
    """
    if not _ODD & set(str(path)):
        return f"{SQLITE}{path}"
    from sqlalchemy.engine import make_url

    encoded = quote(str(path), safe="")
    for spelt in (str(path), encoded):
        if make_url(f"{SQLITE}{spelt}").database == str(path):
            return f"{SQLITE}{spelt}"
    return f"{SQLITE}{_SQLITE_FILE}{encoded}?uri=true"


def sqlite_path(uri: str) -> Path:
    """Return the file of an address made by `sqlite_uri`."""
    if not _ODD & set(uri):
        return Path(uri.removeprefix(SQLITE))
    from sqlalchemy.engine import make_url

    database = make_url(uri).database or ""
    return Path(unquote(database.removeprefix(_SQLITE_FILE)) if database.startswith(_SQLITE_FILE) else database)
