"""Where a project's request log is."""

from __future__ import annotations

from components._core.project.project_file import Project


def log_uri(project: Project, store: str) -> str:
    """Return the URI of a project's request log."""
    log = project.serve.request_log
    return (log.uri if log else "") or f"{store.rstrip('/')}/{project.name}/requests"
