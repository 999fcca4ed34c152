"""Where things live outside the code: read from the environment when asked, never at import."""

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
"""Name of the deployment target of a laptop, the default."""


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        store: Root of the object store: a folder on a laptop, `s3://bucket/prefix` on a cluster. Environment:
            `NARU_STORE`; default `.naru/store` in the working directory.
        tracking_uri: MLflow's tracking and registry server. Environment: `MLFLOW_TRACKING_URI`; default: SQLite beside the
            store.
        serving: Name of the deployment target: `local` starts a server on loopback, `seldon` rolls a version out on the cluster
            that this runs in or that KUBECONFIG names, `none` is nowhere, and deploy says so. Which names there are is said by
            the table of targets (`components/deploy/targets/table.py`), which the core may not import: whoever uses the name
            asks that table. Environment: `NARU_SERVING`; default `local`.
        namespace: Where servers run on a cluster. Environment: `NARU_SERVING_NAMESPACE`; default `naru-models`.
        python: What a stage starts another process of ours with. Environment: `NARU_PYTHON`; default: the interpreter that
            runs the stage.
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
        remedy = "take it out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment open a store at s3://"
        raise ConfigError(f"the store's address holds {found}", where=f"environment variable {STORE}", remedy=remedy)
    return store


def sqlite_uri(path: Path) -> str:
    """The address of a SQLite database as SQLAlchemy, and so MLflow, reads it; most paths stand in it as they are.

    Versions of SQLAlchemy differ in whether they decode `%20`, and the older one takes what follows a `?` for options, so the
    installed one is asked; what neither form can say is said in SQLite's own. Encoded, the path has no slash: MLflow makes the
    folder that it sees in an address, without decoding it.
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
    """The file of such an address."""
    if not _ODD & set(uri):
        return Path(uri.removeprefix(SQLITE))
    from sqlalchemy.engine import make_url

    database = make_url(uri).database or ""
    return Path(unquote(database.removeprefix(_SQLITE_FILE)) if database.startswith(_SQLITE_FILE) else database)
