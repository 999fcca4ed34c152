"""The fields of a record in a log of JSON objects: written without those that say nothing, and checked before a record is made of them.

What is wrong with a damaged line is said in Naru's words. A record's field `line` is the name of its line, known once it was written.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any

from components._core.suggestions import listed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LINE = "line"


def line_of(name: str) -> str:
    """Return the name of a line by that of its object: without folder and `.json`."""
    return name.rpartition("/")[2].removesuffix(".json")


def content_of(record: DataclassInstance, *empty: Any) -> dict[str, Any]:
    """Return what is written of a record: not its line, nor fields with an empty text, mapping or list.

    Args:
        record: The record.
        empty: Further values that say nothing.
    """
    nothing = ("", {}, [], *empty)
    return {name: value for name, value in asdict(record).items() if name != _LINE and value not in nothing}


def read_fields(raw: Any, record: type[DataclassInstance]) -> dict[str, Any]:
    """Return the fields of a record that a parsed line has, but for its line; keys of a later Naru are ignored.

    Args:
        raw: The parsed line.
        record: The record's dataclass.

    Raises:
        ValueError: With what is wrong.
    """
    check_fields(raw, record)
    return {each.name: raw[each.name] for each in fields(record) if each.name in raw and each.name != _LINE}


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
