"""Several labels in one project, which no task has: how they are recognised, and what is done instead."""

from __future__ import annotations

import json
from collections.abc import Iterable

SEVERAL_LABELS = (
    "a project predicts one label: make a project for each over the same table, with the other labels in data.exclude "
    "(docs/frameworks.md, Several labels)"
)


def find_list(values: Iterable[str]) -> str:
    """Return a label value that is a list or an object as JSON, as lists and maps of Parquet and JSON are read; empty unless all are."""
    first = ""
    for value in values:
        if value[:1] not in ("[", "{") or not _is_nested(value):
            return ""
        first = first or value
    return first


def _is_nested(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list | dict)
    except (ValueError, RecursionError):
        return False
