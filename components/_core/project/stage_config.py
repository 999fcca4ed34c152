"""The configuration that a stage sees: only the parts of the project file that it reads, so that no other change runs it again.

A change of `gates` must not train a model again. A stage's work is identified by its parameters, and the project is one
of them; so a stage is given only what its spec names (`StageSpec.reads`), and the defaults of the rest. Name, task,
label, positive, code, schema and the excluded columns go to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EVERYTHING = ("data", "transform", "train", "tune", "gates", "serve")
"""The sections that a stage sees only if its spec names them."""


def restrict(raw: dict[str, Any], reads: Sequence[str]) -> dict[str, Any]:
    """Keep only the given parts of a project.

    Args:
        raw: The project, as read from JSON.
        reads: Sections, or dotted paths within them.
    """
    kept = {name: value for name, value in raw.items() if name not in EVERYTHING}
    for path in reads:
        _copy(raw, kept, path.split("."))
    exclude = raw.get("data", {}).get("exclude", [])
    kept["data"] = {"source": "examples", "exclude": exclude, **kept.get("data", {})}
    return kept


def _copy(given: dict[str, Any], kept: dict[str, Any], parts: list[str]) -> None:
    name, *rest = parts
    if name in given and rest:
        _copy(given[name], kept.setdefault(name, {}), rest)
    elif name in given:
        kept[name] = given[name]
