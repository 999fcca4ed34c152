"""What marks an object on the server as ours: the last line of its description, as recurring runs have no labels.

naru: owner=github.com/team/models project=flights schedule=nightly
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OWNER = "NARU_OWNER"

_LINE = re.compile(
    r"^naru: owner=(?P<owner>\S+) project=(?P<project>\S+)(?: schedule=(?P<schedule>\S+))?$", re.MULTILINE
)


@dataclass(frozen=True)
class Mark:
    """Whose an object is.

    Attributes:
        owner: The repository that says how it is to be.
        project: The project's name.
        schedule: The schedule's name; empty for pipelines, versions and runs.
    """

    owner: str
    project: str
    schedule: str = ""

    def describe(self, text: str) -> str:
        """A description that carries the mark."""
        schedule = f" schedule={self.schedule}" if self.schedule else ""
        return f"{text}\n\nnaru: owner={self.owner} project={self.project}{schedule}"


def read_mark(thing: Mapping[str, Any]) -> Mark | None:
    """The mark of an object of the server; None: it is not ours."""
    match = _LINE.search(thing.get("description") or "")
    return Mark(match["owner"], match["project"], match["schedule"] or "") if match else None


def find_owner(folder: Path) -> str:
    """Which repository a folder belongs to, the same in every clone: `NARU_OWNER`, else its origin, else its name."""
    if named := os.environ.get(OWNER):
        return re.sub(r"\s+", "-", named)
    if origin := ask_git(folder, "remote", "get-url", "origin"):
        return _plain(origin)
    root = ask_git(folder, "rev-parse", "--show-toplevel")
    return re.sub(r"\s+", "-", Path(root or folder).resolve().name)


def ask_git(folder: Path, *command: str) -> str:
    """What git says of a folder; empty when it is not there or says no."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _plain(origin: str) -> str:
    """`github.com/team/models` of any way to write the address; a password in it is left out."""
    parts = urlsplit(origin)
    if not parts.scheme:
        host, _, path = origin.rpartition("@")[2].partition(":")
        place = f"{host}/{path}"
    else:
        place = f"{parts.hostname or ''}{parts.path}"
    return re.sub(r"\s+", "-", place.strip("/").removesuffix(".git"))
