"""Where things live outside the code: read from the environment when asked, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STORE = "NARU_STORE"
TRACKING = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        store: Root of the object store: a folder on a laptop, `s3://bucket/prefix` on a cluster. Environment:
            `NARU_STORE`; default `.naru/store` in the working directory.
        tracking_uri: MLflow's tracking and registry server. Environment: `MLFLOW_TRACKING_URI`; default: SQLite beside the
            store.
    """

    store: str
    tracking_uri: str

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings now."""
        store = os.environ.get(STORE) or str(Path(".naru/store").absolute())
        tracking = os.environ.get(TRACKING) or f"sqlite:///{Path(store).parent / 'mlflow.db'}"
        return cls(store=store, tracking_uri=tracking)
