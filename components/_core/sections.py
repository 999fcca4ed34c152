"""Which parts of the project file each stage goes by: no stage sees more, so no other change makes it run again.

A change of `gates` must not train a model anew. What a stage did is known by its parameters, and the project is one of
them; so each stage is given only the sections in this table, and reads the defaults of the rest. Name, task, label,
positive, code, schema and the excluded columns are given to all.
"""

from __future__ import annotations

from typing import Any

EVERYTHING = ("data", "train", "tune", "gates", "serve")

READS: dict[str, tuple[str, ...]] = {
    "ingest": ("data", "gates"),
    "validate": ("gates",),
    "transform": (),
    "tune": ("train", "tune"),
    "train": ("train",),
    "evaluate": ("gates", "train"),
    "explain": ("gates", "train"),
    "register": EVERYTHING,
    "deploy": EVERYTHING,
}


def restrict(raw: dict[str, Any], stage: str) -> dict[str, Any]:
    """The project, as read from JSON, with only what the stage goes by."""
    hidden = set(EVERYTHING) - set(READS[stage])
    kept = {name: value for name, value in raw.items() if name not in hidden}
    if "data" in hidden:
        kept["data"] = {"source": "examples", "exclude": raw.get("data", {}).get("exclude", [])}
    return kept
