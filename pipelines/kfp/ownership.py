"""The ownership label of objects on the server: the last line of their description, because recurring runs have no labels.

naru: owner=github.com/team/models project=flights schedule=nightly
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.git import run_git

OWNER = "NARU_OWNER"

_LINE = re.compile(
    r"^naru: owner=(?P<owner>\S+) project=(?P<project>\S+)(?: schedule=(?P<schedule>\S+))?$", re.MULTILINE
)


@dataclass(frozen=True)
class OwnershipLabel:
    """The owner of an object.

    Attributes:
        owner: The repository that defines it.
        project: The project's name.
        schedule: The schedule's name; empty for pipelines, versions and runs.
    """

    owner: str
    project: str
    schedule: str = ""

    def describe(self, text: str) -> str:
        """Append the label to a description."""
        schedule = f" schedule={self.schedule}" if self.schedule else ""
        return f"{text}\n\nnaru: owner={self.owner} project={self.project}{schedule}"


def read_label(thing: Mapping[str, Any]) -> OwnershipLabel | None:
    """Read the label of an object; None when Naru did not make it."""
    match = _LINE.search(thing.get("description") or "")
    return OwnershipLabel(match["owner"], match["project"], match["schedule"] or "") if match else None


def find_owner(folder: Path) -> str:
    """Find the repository of a folder, the same in every clone: `NARU_OWNER`, else its origin, else its name."""
    if named := os.environ.get(OWNER):
        return re.sub(r"\s+", "-", named)
    if origin := run_git(folder, "remote", "get-url", "origin"):
        return _plain(origin)
    root = run_git(folder, "rev-parse", "--show-toplevel")
    return re.sub(r"\s+", "-", Path(root or folder).resolve().name)


def _plain(origin: str) -> str:
    """Normalize an address to `github.com/team/models`, without a password."""
    parts = urlsplit(origin)
    if not parts.scheme:
        host, _, path = origin.rpartition("@")[2].partition(":")
        place = f"{host}/{path}"
    else:
        place = f"{parts.hostname or ''}{parts.path}"
    return re.sub(r"\s+", "-", place.strip("/").removesuffix(".git"))
