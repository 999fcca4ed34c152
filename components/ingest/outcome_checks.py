"""Checks that the splits are usable: enough different rows in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from components._core.checks import Check
from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches, row_count
from components._core.project.project_file import Project
from components._core.types.column_types import to_text
from components._core.types.feature_types import FLOAT32
from components._core.types.tasks import TASKS

_FEW = 10
"""Distinct rows below which a split with many more rows is too small for evaluation."""
_MANY = 1_000
"""Distinct rows from which an unusable split has another cause than duplicates."""
_AT_A_TIME = 4_096


def check_splits(project: Project, manifest: Manifest, examples: Path) -> list[Check]:
    """Check that eval and test are usable for evaluation.

    Args:
        project: The project, with task, label and split.
        manifest: Manifest of the examples.
        examples: The artifact with the rows.

    Returns:
        A check for each split that is doubtful.

    Raises:
        DataError: When a split is empty or has one class, because the table has few different rows.
    """
    checks = []
    for split in SPLITS:
        message = _why_useless(project, manifest, examples, split)
        if message and (cause := _duplicates(project, manifest, examples)):
            remedy = "add rows that differ, or columns that tell rows apart; columns in data.split.by need many values"
            raise DataError(f"{message}: {cause}", where=manifest.files[0].path, remedy=remedy)
        if (
            not message
            and split != "train"
            and (distinct := _few_distinct(examples, split, _compared(project, manifest)))
        ):
            message = f"the {manifest.rows[split]:,} rows of the {split} split are only {distinct} distinct ones: metrics on them are unreliable"
        if message:
            checks.append(Check(f"{split} split", "warn", n=manifest.rows[split], reason=message))
    return checks


def _why_useless(project: Project, manifest: Manifest, examples: Path, split: str) -> str:
    """Return why a split is unusable for training or evaluation; empty if it is usable."""
    rows = manifest.rows[split]
    if not rows:
        return f"the {split} split has no rows"
    classes = _first_values(examples, split, project.label) if TASKS[project.task].has_classes else []
    if len(classes) == 1:
        return f"the {rows:,} rows of the {split} split have one class, {classes[0]!r}"
    return ""


def _duplicates(project: Project, manifest: Manifest, examples: Path) -> str:
    """Describe that a table has few distinct rows; empty if it has enough."""
    if project.data.split.kind in ("time", "given"):  # equal rows may be in different splits
        return ""
    rows = sum(manifest.rows.values())
    by = project.data.split.hashed_columns
    distinct = len(_distinct_rows(examples, SPLITS, _hashed(manifest), _MANY))
    if distinct >= _MANY or distinct * 2 > rows:
        return ""
    what = f"different values of {', '.join(by)}" if by else "different rows"
    return f"only {distinct} {what} among {rows:,} rows, and equal ones go to one split"


def _first_values(examples: Path, split: str, column: str) -> list[str]:
    """Return two distinct values of a column as texts, or all if there are fewer."""
    return [str(value) for (value,) in _distinct_rows(examples, (split,), [column], 2)]


def _hashed(manifest: Manifest) -> list[str]:
    """Return the columns that decide a row's split."""
    return list(manifest.split.columns if manifest.split else manifest.columns)


def _compared(project: Project, manifest: Manifest) -> list[str] | None:
    """Return the columns in which rows of a split must differ: those that are hashed by default, else all."""
    return _hashed(manifest) if project.data.split.kind in ("hash", "stratified") else None


def _few_distinct(examples: Path, split: str, columns: list[str] | None) -> int:
    """Count the distinct rows of a split if there are fewer than `_FEW` and than half of its rows; else 0."""
    found = len(_distinct_rows(examples, (split,), columns, _FEW))
    return found if found < _FEW and found * 2 <= row_count(examples, split) else 0


def _distinct_rows(
    examples: Path, splits: Sequence[str], columns: list[str] | None, enough: int
) -> set[tuple[object, ...]]:
    """Collect the distinct rows of some splits; stops when there are `enough`."""
    found: set[tuple[object, ...]] = set()
    for split in splits:
        for batch in read_batches(examples, split, columns, batch_rows=_AT_A_TIME):
            found.update(zip(*(_comparable(column).to_pylist() for column in batch.columns), strict=True))
            if len(found) >= enough:
                return found
    return found


def _comparable(column: pa.Array) -> pa.Array:
    """Convert values so that those are equal that the hash of a row takes for equal: real numbers in a model's precision."""
    if pa.types.is_floating(column.type):
        return column.cast(FLOAT32.arrow, safe=False)
    return column if pa.types.is_integer(column.type) else to_text(column)
