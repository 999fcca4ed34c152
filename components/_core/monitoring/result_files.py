"""Where the results of a project's monitor are, and how much of one is read: `<store>/<project>/monitoring/runs/<run>/monitoring.json`.

A result is written whole, once, and never changed; the names of runs sort by time. docs/monitoring.md has the format.
"""

from __future__ import annotations

import json
from typing import Any

from components._core.types.artifact_files import MONITORING

LARGEST_RESULT = 16 << 20
"""Bytes of a result that are read; a larger one is none."""


def monitoring_folder(store: str, project: str) -> str:
    """Return the URI of the folder of a project's monitor.

    Args:
        store: Root of the store.
        project: Name of the project.
    """
    return f"{store.rstrip('/')}/{project}/monitoring"


def runs_folder(monitoring: str) -> str:
    """Return the URI of the folder with a folder for each run.

    Args:
        monitoring: URI from `monitoring_folder`.
    """
    return f"{monitoring.rstrip('/')}/runs"


def result_uri(monitoring: str, run: str) -> str:
    """Return the URI of the result of a run."""
    return f"{runs_folder(monitoring)}/{run}/{MONITORING}"


def parse_result(content: bytes) -> dict[str, Any]:
    """Parse the bytes of a result, of which `LARGEST_RESULT + 1` at most were read.

    Raises:
        RecursionError: When it is nested too deep.
        ValueError: When it is too large, or not a JSON object.
    """
    if len(content) > LARGEST_RESULT:
        raise ValueError(f"more than the {LARGEST_RESULT:,} bytes that are allowed")
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
