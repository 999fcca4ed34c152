"""Which parts of the project file each stage goes by: no stage sees more, so no other change makes it run again.

A change of `gates` must not train a model anew. What a stage did is known by its parameters, and the project is one of
them; so each stage is given only what is in this table, and reads the defaults of the rest. Name, task, label,
positive, code, schema and the excluded columns are given to all.
"""

from __future__ import annotations

from typing import Any

EVERYTHING = ("data", "train", "tune", "gates", "serve")

READS: dict[str, tuple[str, ...]] = {
    "ingest": ("data", "gates.model.slices"),
    "validate": ("gates.data", "data.exclusion_reasons"),
    "transform": (),
    "tune": ("train", "tune"),
    "train": ("train",),
    "evaluate": ("gates.model", "gates.serving.p95_ms", "train.seed"),
    "explain": ("gates.model.metric", "gates.model.first", "train.seed"),
    "register": EVERYTHING,
    "deploy": EVERYTHING,
}
"""By stage: sections, or dotted places within them."""


def restrict(raw: dict[str, Any], stage: str) -> dict[str, Any]:
    """The project, as read from JSON, with only what the stage goes by."""
    kept = {name: value for name, value in raw.items() if name not in EVERYTHING}
    for place in READS[stage]:
        _carry(raw, kept, place.split("."))
    exclude = raw.get("data", {}).get("exclude", [])
    kept["data"] = {"source": "examples", "exclude": exclude, **kept.get("data", {})}
    return kept


def _carry(given: dict[str, Any], kept: dict[str, Any], parts: list[str]) -> None:
    name, *rest = parts
    if name in given and rest:
        _carry(given[name], kept.setdefault(name, {}), rest)
    elif name in given:
        kept[name] = given[name]
