"""Where the request log of a project is."""

from __future__ import annotations

from components._core.project.serving_config import RequestLogging


def log_uri(log: RequestLogging | None, store: str, project: str) -> str:
    """Return the URI of a project's request log.

    Args:
        log: `serve.request_log` of the project; None: it has none, and what is there is from before.
        store: Root of the store.
        project: Name of the project.
    """
    return (log.uri if log else "") or f"{store.rstrip('/')}/{project}/requests"
