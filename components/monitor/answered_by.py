"""Who answered a row: the servers of a version, or its batch predictions, which are counted and judged apart.

A text names both, where counts are kept by version: the version for its servers, and `VERSION (batch)`.
"""

from __future__ import annotations

from components._core.request_log.answered_lines import BATCH

SERVER = "server"
_OF_BATCH = f" ({BATCH})"


def batch_of(version: str) -> str:
    """Return the name of a version's batch predictions."""
    return version + _OF_BATCH


def is_batch(name: str) -> bool:
    """Return whether a name is of batch predictions."""
    return name.endswith(_OF_BATCH)


def version_of(name: str) -> str:
    """Return the version of a name."""
    return name.removesuffix(_OF_BATCH)


def source_of(name: str) -> str:
    """Return `server` or `batch`."""
    return BATCH if is_batch(name) else SERVER
