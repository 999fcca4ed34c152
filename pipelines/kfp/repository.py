"""The name of the repository that owns what Naru makes on a server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.git import run_git

OWNER = "NARU_OWNER"


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
