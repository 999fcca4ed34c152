"""Find rows that are in two splits, as the model sees them, and groups with such rows: they make the evaluation too optimistic.

A row is identified by the hash of its features, a group by that of its identifier; rows that nearly equal another are
found in the same pass (`near_duplicates.py`). Memory is bounded (`key_counter.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.examples.artifact import SPLITS, Manifest
from components._core.examples.row_hash import Hashes, finish, hash_column, hash_rows
from components._core.project.gate_config import Severity
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.identifier_columns import is_named_group
from components.validate.findings import to_status
from components.validate.key_counter import MOST_HASHES, KeyCounter, Overlap
from components.validate.near_duplicates import NearDuplicateFinder, NearDuplicates
from components.validate.tfdv_columns import batch_rows, read_plain

MOST_SHARED = 0.01
"""Share of the eval and test rows, also in another split, from which it is a finding."""
_FEWEST_HASHES = 1 << 15


def find_overlaps(
    examples: Path, manifest: Manifest, features: dict[str, str], exclude: list[str]
) -> tuple[list[Overlap], NearDuplicates]:
    """Count the rows that are in two splits, and for each excluded identifier the groups that are.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        features: Type by name of the columns that the model sees.
        exclude: The excluded columns; those named like identifiers are examined.

    Returns:
        The overlap of rows and of each identifier, and the rows that nearly equal one of another split.
    """
    decided = manifest.split.columns if manifest.split and manifest.split.grouped else ()
    groups = [name for name in exclude if name in manifest.columns and is_named_group(name)]
    groups = [
        name for name in groups if not COLUMN_TYPES[manifest.columns[name]].feature.is_real and decided != (name,)
    ]
    types = {**features, **{name: manifest.columns[name] for name in groups}}
    keys = ["", *groups]
    counters = {name: KeyCounter(max(MOST_HASHES // len(keys), _FEWEST_HASHES)) for name in keys}
    near = NearDuplicateFinder([*features], manifest.rows.get("train", 0))
    for split in SPLITS:
        for rows in _read_large_batches(examples, split, types):
            added = [hash_column(rows.column(rows.schema.get_field_index(name)), name) for name in features]
            counters[""].add(
                split, finish(np.sum([np.zeros(rows.num_rows, np.uint64), *added], axis=0, dtype=np.uint64))
            )
            near.add(split, rows, added)
            for name in groups:
                counters[name].add(split, _hash_group(rows, name))
    overlaps = [counter.overlap(name) for name, counter in counters.items()]
    return overlaps, near.result(overlaps[0].share)


def _read_large_batches(examples: Path, split: str, types: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a split in batches across spans, to reduce the overhead per batch."""
    most = batch_rows(len(types))
    waiting: list[pa.RecordBatch] = []
    for batch in read_plain(examples, split, types):
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= most:
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting = []
    if waiting:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def _hash_group(rows: pa.RecordBatch, group: str) -> Hashes:
    """Hash the identifier of each row that has one: rows without it do not form a group."""
    known = np.asarray(rows.column(rows.schema.get_field_index(group)).is_valid())
    return np.asarray(hash_rows(rows, [group])[known])


def to_checks(overlaps: list[Overlap], policy: dict[str, Severity]) -> list[Check]:
    """Make one check for the rows, and one for each identifier, in any case."""
    return [_check(overlap, policy) for overlap in overlaps]


def _check(overlap: Overlap, policy: dict[str, Severity]) -> Check:
    kind, name = "rows_in_two_splits", "rows in two splits"
    if overlap.column:
        kind, name = "groups_in_two_splits", f"groups in two splits: {overlap.column}"
    too_many = overlap.share > MOST_SHARED
    status = to_status(policy[kind]) if too_many else "pass"
    ignored = " (ignored by gates.data.anomalies)" if status == "skipped" else ""
    message = _overlap_message(overlap) + (_remedy(overlap) if too_many else "") + ignored
    return Check(name, status, round(overlap.share, 6), MOST_SHARED, n=overlap.held_out, reason=message)


def _overlap_message(overlap: Overlap) -> str:
    part = "" if overlap.kept == 1 else f" (of a sample: 1 in {1 / overlap.kept:.0f})"
    rows = f"{overlap.rows:,} of {overlap.held_out:,} eval and test rows ({overlap.share:.2%})"
    if overlap.column:
        return f"{overlap.keys:,} values of {overlap.column} are in two splits, with {rows}{part}"
    return f"{rows} equal a row of another split in all features{part}"


def _remedy(overlap: Overlap) -> str:
    if overlap.column:
        return f": if rows with the same {overlap.column} belong together, set data.split to {{method: group, by: [{overlap.column}]}}"
    return ": the model is evaluated on rows it was trained on; split by all features (data.split.method: hash), or remove the copies"
