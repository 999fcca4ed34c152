"""What the written test says of a table: which rows to generate, and the shapes of the features that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.scaffold.decisions import Decision
from pipelines.scaffold.label_choice import Target
from pipelines.scaffold.table_profile import Column

_MOST_VALUES = 6
_MOST_CLASSES = 50
_MADE_UP = ["one value", "another value", "a third one, which is longer"]
_WORD_BUCKETS = 256
"""As in the template of preprocessing.py."""


@dataclass(frozen=True)
class GeneratedRows:
    """Arguments of `pipelines.testing.Columns`, and the features.

    Attributes:
        label: The classes, or smallest and largest number.
        columns: Columns by kind: `whole`, `numbers`, `texts`.
        features: Shape of each feature in one row.
    """

    label: list[str] | tuple[float, float]
    columns: dict[str, dict[str, Any]]
    features: dict[str, tuple[int, ...]]


def describe_rows(
    decisions: list[Decision], target: Target, outputs: dict[str, str], often: int, *, read: bool = False
) -> GeneratedRows:
    """Describe the rows of a table.

    Args:
        decisions: The decision on each column.
        target: The task.
        outputs: Feature of each category and each text column.
        often: Number of columns with a feature for whether they are missing.
        read: Whether numbers that are categories are read as texts.
    """
    columns: dict[str, dict[str, Any]] = {"whole": {}, "numbers": {}, "texts": {}}
    label: list[str] | tuple[float, float] = list(target.classes)[:_MOST_CLASSES]
    for decision in decisions:
        column = decision.column
        if decision.role == "label":
            label = label or _range(column)
        elif decision.role == "left out":
            continue
        elif column.type.is_text or (read and decision.role in ("category", "hashed")):
            columns["texts"][column.name] = _texts(decision)
        elif column.type.is_whole and not column.missing:
            low, high = _range(column)
            columns["whole"][column.name] = (int(low), int(high))
        else:
            columns["numbers"][column.name] = _range(column)
    return GeneratedRows(label, columns, _features(decisions, outputs, often))


def _texts(decision: Decision) -> list[str]:
    """Choose values of a column: those of a category or date, never what people wrote in a text."""
    values = decision.column.values[:_MOST_VALUES]
    return list(values) if decision.role in ("category", "date") and values else _MADE_UP


def _range(column: Column) -> tuple[float, float]:
    low, high = column.minimum or 0.0, column.maximum or 0.0
    return (low, high) if column.type.is_whole else (float(f"{low:.6g}"), float(f"{high:.6g}"))


def _features(decisions: list[Decision], outputs: dict[str, str], often: int) -> dict[str, tuple[int, ...]]:
    by_role: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_role.setdefault(decision.role, []).append(decision)
    parts = sum(4 if decision.format and decision.format.has_clock else 3 for decision in by_role.get("date", []))
    weekdays = len(by_role.get("date", []))
    numbers = len(by_role.get("number", [])) + parts + weekdays
    found: dict[str, tuple[int, ...]] = {"numbers": (numbers,)} if numbers else {}
    found |= {"missing": (often,)} if often else {}
    found |= {outputs[decision.column.name]: () for decision in by_role.get("category", [])}
    found |= {"hashed": (len(by_role["hashed"]),)} if "hashed" in by_role else {}
    return found | {outputs[decision.column.name]: (_WORD_BUCKETS,) for decision in by_role.get("text", [])}
