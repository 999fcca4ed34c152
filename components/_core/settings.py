"""Where things live outside the code: read from the environment when asked, never at import."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from components._core.errors import ConfigError

Serving = Literal["local", "none"]

STORE = "NARU_STORE"
TRACKING = "MLFLOW_TRACKING_URI"
SERVING = "NARU_SERVING"
PYTHON = "NARU_PYTHON"


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        store: Root of the object store: a folder on a laptop, `s3://bucket/prefix` on a cluster. Environment:
            `NARU_STORE`; default `.naru/store` in the working directory.
        tracking_uri: MLflow's tracking and registry server. Environment: `MLFLOW_TRACKING_URI`; default: SQLite beside the
            store.
        serving: Where deploy serves a version: `local` starts a server on loopback, `none` is nowhere, and deploy says so.
            Environment: `NARU_SERVING`; default `local`.
        python: What a stage starts another process of ours with. Environment: `NARU_PYTHON`; default: the interpreter that
            runs the stage.
    """

    store: str
    tracking_uri: str
    serving: Serving = "local"
    python: str = sys.executable

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings now."""
        store = os.environ.get(STORE) or str(Path(".naru/store").absolute())
        tracking = os.environ.get(TRACKING) or f"sqlite:///{Path(store).parent / 'mlflow.db'}"
        python = os.environ.get(PYTHON) or sys.executable
        return cls(
            store=store, tracking_uri=tracking, serving=_serving(os.environ.get(SERVING) or "local"), python=python
        )


def _serving(value: str) -> Serving:
    if value in get_args(Serving):
        return cast(Serving, value)
    raise ConfigError(f"found {value!r}; allowed: local, none", where=f"environment variable {SERVING}")
