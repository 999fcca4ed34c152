"""Git, as far as Naru reads it: run as a process, never required. Without git or a repository, answers are empty."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from components._core.project.project_file import PROJECT_FILE
from components._core.stage.run_record import format_commit

_SECONDS = 10.0
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false")
"""Take no lock that a person's git could meet, and start no program that the repository's own configuration names."""
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Set inside git's hooks: they name the hook's repository, whatever folder git is run in."""


def read_commit(folder: Path) -> str:
    """Read the commit of a project's folder as the run's parameter `code_commit`: `+dirty` after it when the folder has changes on top.

    Changes are those below the folder, except what Naru writes (`.naru`). A project that git does not track has changes. Empty
    without git, repository or commit, and when git takes too long: half an answer would claim that there are no changes.
    """
    commit = run_git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return ""
    tracked = _run(folder, "ls-files", "--", PROJECT_FILE)
    changes = _run(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".", ":(exclude).naru")
    if tracked is None or changes is None:
        return ""
    return format_commit(commit, dirty=bool(changes) or not tracked)


def run_git(folder: Path, *command: str) -> str:
    """Run git in a folder; returns its output, empty when git is missing, fails or takes too long."""
    return _run(folder, *command) or ""


def _run(folder: Path, *command: str) -> str | None:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *_OPTIONS, *command],  # noqa: S607 - the git that the person uses
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_SECONDS,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
