"""Where a project's request log is."""

from __future__ import annotations


def request_log_uri(configured: str, store: str, project: str) -> str:
    """Return the URI of a project's request log.

    Args:
        configured: The value of `serve.request_log.uri`; empty: a folder of the store.
        store: Root of the store.
        project: Name of the project.
    """
    return configured or f"{store.rstrip('/')}/{project}/requests"
