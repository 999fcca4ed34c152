"""The label as numbers: which values it has, in which order, and each row's class index or value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import Project
from components._core.types.label_values import as_text, class_indices, targets


def find_classes(project: Project, examples: Path) -> list[str]:
    """The label's values as text, in the order of their class indices; empty for regression.

    Binary: negative, positive. Multiclass: ascending; numbers are compared as numbers.

    Raises:
        DataError: When a label is missing, or has not as many values as the task needs.
        ConfigError: When the project's positive value is none of them.
    """
    if project.task == "regression":
        return []
    found = sorted(_values(project, examples), key=_rank)
    if len(found) < 2:
        told = f"has {found[0]!r} in every row" if found else "has no values"
        raise DataError(
            told, where=f"label {project.label}", remedy="a classification needs two values at least; check data.source"
        )
    return found if project.task == "multiclass_classification" else _positive_last(project, found)


def encode_labels(labels: pa.Array, classes: list[str]) -> NDArray[Any]:
    """Class indices [rows] as int64, or values [rows] as float32 where there are no classes."""
    return class_indices(labels, tuple(classes)) if classes else targets(labels).astype(np.float32)


def _values(project: Project, examples: Path) -> set[str]:
    found: set[str] = set()
    for split in SPLITS:
        for batch in read_batches(examples, split, [project.label]):
            column = batch.column(0)
            if column.null_count:
                told = f"is missing in {column.null_count} of {len(column)} rows of {split}"
                raise DataError(told, where=f"label {project.label}", remedy="leave these rows out of the source")
            found.update(pc.unique(as_text(column)).to_pylist())
    return found


def _rank(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value


def _positive_last(project: Project, found: list[str]) -> list[str]:
    if len(found) > 2:
        told = f"has {len(found)} values ({', '.join(found[:5])}, ...), a binary classification needs two"
        raise DataError(
            told, where=f"label {project.label}", remedy="set task: multiclass_classification in project.yaml"
        )
    positive = found[-1] if project.positive is None else str(project.positive)
    if positive not in found:
        raise ConfigError(
            f"is {positive!r}, and the label {project.label} has {' and '.join(map(repr, found))}",
            where="positive",
            remedy="name one of them in project.yaml",
        )
    return [value for value in found if value != positive] + [positive]
