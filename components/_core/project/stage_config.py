"""The configuration that a stage sees: only the parts of the project file that it reads, so that no other change runs it again.

A change of `gates` must not train a model again. A stage's work is identified by its parameters, and the project is one
of them; so a stage is given only what its spec names (`StageSpec.reads`), and the defaults of the rest. Name, task,
label, positive, code, schema and the excluded columns go to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EVERYTHING = ("data", "transform", "model", "train", "tune", "gates", "serve")
"""The sections that a stage sees only if its spec names them."""
FEEDBACK = "feedback"
APART = (FEEDBACK, "monitor", "labels")
"""Sections that only a stage which names them sees: no training run depends on them."""
_ONLY_BY_NAME = (("data", "checks"),)
"""Parts that a stage which reads their section does not see unless its spec names them, or every section: a change of what is
expected of a table must not read the table again."""


def restrict(raw: dict[str, Any], reads: Sequence[str]) -> dict[str, Any]:
    """Keep only the given parts of a project.

    Args:
        raw: The project, as read from JSON.
        reads: Sections, or dotted paths within them.
    """
    kept = {name: value for name, value in raw.items() if name not in (*EVERYTHING, *APART)}
    for path in reads:
        _copy(raw, kept, path.split("."))
    for section, name in _ONLY_BY_NAME:
        if f"{section}.{name}" not in reads and not {*EVERYTHING} <= {*reads} and section in kept:
            kept[section] = {key: value for key, value in kept[section].items() if key != name}
    exclude = raw.get("data", {}).get("exclude", [])
    kept["data"] = {"source": "examples", "exclude": exclude, **kept.get("data", {})}
    return kept


def absent_sections(reads: Sequence[str]) -> list[str]:
    """Return the sections of which `restrict` keeps nothing."""
    kept = {path.partition(".")[0] for path in reads}
    return [name for name in (*EVERYTHING, *APART) if name not in kept]


def _copy(given: dict[str, Any], kept: dict[str, Any], parts: list[str]) -> None:
    name, *rest = parts
    if name in given and rest:
        section = kept.get(name, {})
        _copy(given[name], section, rest)
        if section:  # an empty one would change the configuration although the section has nothing for the stage
            kept[name] = section
    elif name in given:
        kept[name] = given[name]
