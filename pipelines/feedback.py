"""`naru feedback`: join the request log with labels, show what was found, and write the next span."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from components._core.project.project_file import load_project
from components._feedback.join_settings import find_settings
from components._feedback.make_span import make_span
from components.feedback.join_lines import WIDTH, describe
from pipelines.local.workspace import find_workspace


def run_feedback(folder: Path, *, write: bool = True, now: datetime | None = None) -> list[str]:
    """Join the log with the labels; returns the lines to print, the outcome in the last one.

    Args:
        folder: The project's folder, or its file.
        write: Whether a span is written when enough rows have a label.
        now: The present; None: by the clock.

    Raises:
        ConfigError: When the project has no such section, no champion, or the section does not fit log and labels.
        DataError: When the labels cannot be read, or too many have an id that the log does not have.
        ServiceError: When files of the store are missing or damaged.
        UnavailableError: When the store does not answer.
    """
    project, workspace = load_project(folder), find_workspace(folder)
    with workspace.settings_applied():
        settings = find_settings(project, workspace.settings().store, workspace.project)
        report = make_span(settings, now or datetime.now(UTC), write=write)
    return describe(report, settings, write=write)


def wrap_lines(lines: Sequence[str], columns: int) -> list[str]:
    """Break lines that a terminal is too narrow for, below the text; an address stays in one piece."""
    wrapper = textwrap.TextWrapper(
        max(columns, 2 * WIDTH), subsequent_indent=" " * WIDTH, break_long_words=False, break_on_hyphens=False
    )
    return [part for line in lines for part in (wrapper.wrap(line) if len(line) > columns else [line])]
