"""Findings about the label: its values, and whether they suit the task."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import Project
from components._core.suggestions import listed
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.label_order import order_labels
from components._core.types.label_values import as_text
from components._core.types.several_labels import find_list
from components._core.types.tasks import TASKS
from components.validate.findings import Finding

MOST_CLASSES = 1_000
"""Maximum number of label values that count as classes."""
RARE_ROWS = 10
"""Training rows below which a class can hardly be learned."""

Counts = dict[str, Counter[str]]
"""Rows by label value (as text), by split."""


def count_labels(project: Project, examples: Path) -> Counts:
    """Count the label's values in each split; nothing is counted for a task without classes, nor beyond `MOST_CLASSES` values."""
    counts: Counts = {split: Counter() for split in SPLITS}
    if not TASKS[project.task].has_classes:
        return counts
    for split in SPLITS:
        for batch in read_batches(examples, split, [project.label]):
            if batch.num_columns and len(counts[split]) <= MOST_CLASSES:
                counts[split].update(_count(batch.column(0)))
    return counts


def check_label(project: Project, kind: str, counts: Counts) -> list[Finding]:
    """Find violations in the label's values.

    Args:
        project: The project.
        kind: Type of the label column.
        counts: Output of `count_labels`.
    """
    wrong = _check_type(project, kind) + _check_values(project, counts)
    return wrong or _check_other_splits(project.label, counts) + _check_rare(project.label, counts["train"])


def in_order(counts: Counter[str]) -> dict[str, int]:
    """Sort counts by value, ascending; numbers are compared as numbers."""
    return {value: counts[value] for value in order_labels(counts)}


def _count(column: pa.Array) -> Counter[str]:
    counted = pc.value_counts(as_text(pc.drop_null(column)))
    return Counter(dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)))


def _check_type(project: Project, kind: str) -> list[Finding]:
    wrong = TASKS[project.task].find_type_violation(is_text=COLUMN_TYPES[kind].feature.is_text)
    return [_wrong(project, wrong.message, wrong.remedy)] if wrong else []


def _check_values(project: Project, counts: Counts) -> list[Finding]:
    label, train = project.label, counts["train"]
    if not train:
        return []
    if len(train) > MOST_CLASSES and not find_list(train):
        return [_wrong(project, f"has more than {MOST_CLASSES} values", "if it is a quantity, set task: regression")]
    elsewhere = {*counts["eval"], *counts["test"]}
    wrong = TASKS[project.task].find_class_violation(
        train, project.positive_text, label, elsewhere=elsewhere, row="training row"
    )
    if wrong is None:
        return []
    if wrong.is_positive:
        message = f"positive: {wrong.message}; {wrong.remedy}"
        return [Finding("label_values", label, message, len(train), 2, train.total())]
    return [_wrong(project, wrong.message, wrong.remedy)]


def _wrong(project: Project, message: str, remedy: str) -> Finding:
    return Finding("label_values", project.label, f"the label {project.label} {message}; {remedy}")


def _check_other_splits(label: str, counts: Counts) -> list[Finding]:
    findings = []
    for split in ("eval", "test"):
        new = {value: rows for value, rows in counts[split].items() if value not in counts["train"]}
        if new and counts["train"]:
            message = (
                f"{split} has label values that train lacks: {listed(order_labels(new))}; the model cannot learn them"
            )
            findings.append(Finding("label_unseen", label, message, len(new), 0, sum(new.values()), split))
    return findings


def _check_rare(label: str, train: Counter[str]) -> list[Finding]:
    rare = [value for value in in_order(train) if train[value] < RARE_ROWS] if len(train) <= MOST_CLASSES else []
    return [
        Finding(
            "rare_class",
            f"{label} = {value}",
            f"only {train[value]} training rows have {label} = {value}",
            train[value],
            RARE_ROWS,
        )
        for value in rare
    ]
