"""Waits for a locked SQLite database, within a bound: two runs may write to the same one."""

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
    """Run `work` in MLflow, and run it again while another process locks the database.

    SQLite itself waits some seconds for a lock, and not at all where that could deadlock; so the whole work is repeated.

    Args:
        tracking_uri: Address of MLflow.
        work: The work; it must find what an earlier attempt left, as it may run more than once.
        patience_seconds: For how long to retry.

    Raises:
        LockedError: When the database stays locked.
        ServiceError: As in `registry_errors`.
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
