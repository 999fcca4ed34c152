"""Two runs may write to one SQLite database: who finds it locked waits for the other, within a bound."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from components._registry.mlflow_client import LockedError, registry_errors

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.3

Result = TypeVar("Result")


def when_unlocked(
    tracking_uri: str, work: Callable[[], Result], *, patience_seconds: float = _PATIENCE_SECONDS
) -> Result:
    """Do work in MLflow, again when its database was locked by another process.

    SQLite itself waits some seconds for a lock, and not at all where waiting could last for ever; so the whole work is done
    again.

    Args:
        tracking_uri: Where MLflow is.
        work: Finds what an earlier try left, so that it may be done twice.
        patience_seconds: For how long it is tried.

    Raises:
        LockedError: When the database stays locked.
        ServiceError: As `registry_errors` has it.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with registry_errors(tracking_uri):
                return work()
        except LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.5, 1.5) * _PAUSE_SECONDS)
