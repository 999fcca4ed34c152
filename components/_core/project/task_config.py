"""What a project predicts: its task and its label."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError

from components._core.suggestions import list_alternatives
from components._core.types.several_labels import SEVERAL_LABELS
from components._core.types.tasks import TASKS

_SEVERAL = re.compile(r"multi[ _-]?(label|output|target|task)", re.IGNORECASE)
"""Names in the field of tasks that predict several labels at once."""


def check_task(value: Any) -> Any:
    """Refuse a task that is not in the table, with pydantic's message for a value that is not in a list; and several labels with what is done instead."""
    if isinstance(value, list) or (isinstance(value, str) and _SEVERAL.match(value)):
        raise ValueError(f"found {repr(value)[:80]}; allowed: {', '.join(TASKS)}; {SEVERAL_LABELS}")
    if not isinstance(value, str) or value not in TASKS:
        raise PydanticCustomError(
            "literal_error", "Input should be {expected}", {"expected": list_alternatives([*map(repr, TASKS)])}
        )
    return value


def check_label(value: Any) -> Any:
    """Refuse several labels with what is done instead."""
    if isinstance(value, list | dict):
        raise ValueError(f"found {repr(value)[:80]}; must be one column: {SEVERAL_LABELS}")
    return value


def list_tasks(schema: dict[str, Any]) -> None:
    """Name the tasks in the JSON Schema."""
    schema["enum"] = [*TASKS]
