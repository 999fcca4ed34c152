"""The ownership label of objects on the server: the last line of their description, because recurring runs have no labels.

naru: owner=github.com/team/models project=flights schedule=nightly
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
