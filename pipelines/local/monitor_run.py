"""Runs the monitor on this machine, in this process: it is a few seconds of counting, and no pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components._core.errors import ConfigError, DataBlockedError
from components._core.project.project_file import load_project
from components._core.request_log.answered_lines import BATCH
from components._data.sources.registry import absolute_location
from pipelines.local.workspace import find_workspace

PAGE = "monitoring.html"


@dataclass(frozen=True)
class MonitorRun:
    """What a person sees of a run.

    Attributes:
        lines: Lines for the terminal, the verdict last.
        exit_code: 0, or that of blocked data when a check failed.
    """

    lines: list[str]
    exit_code: int


def monitor_project(path: Path, window: str = "", since: str = "", now: datetime | None = None) -> MonitorRun:
    """Monitor a project whose servers log to this machine's store, or to the store of the environment.

    Args:
        path: The project's folder.
        window: As in `monitor_requests`, like the errors.
        since: As in `monitor_requests`.
        now: As in `monitor_requests`.

    Raises:
        ConfigError: When there is no such project, or it logs no requests.
    """
    from components.monitor.monitor import monitor_requests
    from components.monitor.monitor_page import describe_alarm

    workspace = find_workspace(path)
    workspace.check_project()
    project = load_project(workspace.project)
    if project.serve.request_log is None:
        remedy = "add `request_log: {}` to the section serve, and start the server again: naru serve"
        raise ConfigError("serve.request_log is not set, so no request is kept", where=str(path), remedy=remedy)
    if project.feedback is not None:
        feedback = project.feedback.located(lambda location: absolute_location(location, workspace.project))
        project = project.model_copy(update={"feedback": feedback})
    folder = workspace.home / "monitoring"
    with workspace.settings_applied():
        result = monitor_requests(project, monitoring=folder, page=folder / PAGE, window=window, since=since, now=now)
    judged = result.judged
    lines = []
    for found in (*([judged] if judged else ()), *result.batches):
        begin, end = (f"{at:%Y-%m-%d %H:%M}" for at in (found.window.since, found.window.until))
        what = f"version {found.version}" + (", batch predictions" if found.source == BATCH else "")
        lines.append(f"{what}: {found.counts.rows:,} rows, {begin} to {end} UTC")
        ranked = sorted(
            (check for check in found.checks if check.alarms), key=lambda check: check.check.status != "fail"
        )
        lines += [f"{check.check.status}: {describe_alarm(check)}" for check in ranked]
    lines += [f"performance: {sentence}" for sentence in result.performance]
    lines += [str(folder / PAGE), f"monitoring: {result.outcome.verdict}: {result.outcome.reason}"]
    return MonitorRun(lines, DataBlockedError.exit_code if result.outcome.verdict == "blocked" else 0)
