"""Label encoding: the label's values, their order, and each row's class index or value."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import Project
from components._core.types.label_values import as_text
from components._core.types.tasks import TASKS


def find_classes(project: Project, examples: Path) -> list[str]:
    """Find the label's values as text, in the order of their class indices; empty for a task without classes.

    Raises:
        DataError: When a label is missing, or has too few or too many values for the task.
        ConfigError: When the project's positive value is not one of them.
    """
    task = TASKS[project.task]
    if not task.has_classes:
        return []
    found = _values(project, examples)
    if wrong := task.find_class_violation(found, project.positive_text, project.label):
        if wrong.is_positive:
            raise ConfigError(wrong.message, where="positive", remedy=wrong.remedy)
        raise DataError(wrong.message, where=f"label {project.label}", remedy=wrong.remedy)
    return task.order_classes(found, project.positive_text)


def _values(project: Project, examples: Path) -> set[str]:
    found: set[str] = set()
    for split in SPLITS:
        for batch in read_batches(examples, split, [project.label]):
            column = batch.column(0)
            if column.null_count:
                message = f"is missing in {column.null_count} of {len(column)} rows of {split}"
                raise DataError(message, where=f"label {project.label}", remedy="leave these rows out of the source")
            found.update(pc.unique(as_text(column)).to_pylist())
    return found
