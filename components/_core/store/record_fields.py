"""The fields of a record in a log of JSON objects, checked before it is made: what is wrong with a damaged line is said in our words."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from components._core.suggestions import listed


def check_fields(raw: Any, record: type) -> None:
    """Check that a parsed line is a mapping with the fields that a record needs.

    Args:
        raw: The parsed line.
        record: The record's dataclass.

    Raises:
        ValueError: With what is wrong.
    """
    if not isinstance(raw, dict):
        raise ValueError("must be a mapping")
    needed = [each.name for each in fields(record) if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in needed if name not in raw]:
        raise ValueError(f"lacks {listed(missing)}")
