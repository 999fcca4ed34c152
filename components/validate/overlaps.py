"""Find rows that are in two splits, as the model sees them, and groups with such rows: they make the evaluation too optimistic.

A row is identified by the hash of its features, a group by that of its identifier. Memory is bounded: beyond half a
million different hashes only the smallest ones are kept, in every split the same, and the shares are those of this
sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.examples.row_hash import hash_rows
from components._core.project.project_file import Severity
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.identifier_columns import is_named_group
from components.validate.findings import to_status
from components.validate.tfdv_columns import batch_rows, column_of

MOST_SHARED = 0.01
"""Share of the eval and test rows, also in another split, from which it is a finding."""
MOST_HASHES = 1 << 19
"""Maximum number of distinct hashes kept per split, of all keys together: 16 bytes each."""
_FEWEST_HASHES = 1 << 15

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Overlap:
    """Rows of eval and test whose key is also in another split.

    Attributes:
        column: The identifier that is the key; empty: all features are.
        keys: Number of distinct keys in more than one split.
        rows: Number of eval and test rows with such a key.
        held_out: Number of all eval and test rows.
        kept: Share of the keys that was examined: 1, or less for a very long table.
    """

    column: str
    keys: int
    rows: int
    held_out: int
    kept: float

    @property
    def share(self) -> float:
        """Share of such rows among the rows of eval and test, 0 to 1."""
        return self.rows / self.held_out if self.held_out else 0.0


@dataclass
class KeyCounter:
    """Counts rows by key and split, for the keys with the smallest hashes."""

    most: int = MOST_HASHES
    _limit: int = 2**64 - 1
    _keys: dict[str, Hashes] = field(default_factory=dict)
    _rows: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _waiting: dict[str, list[Hashes]] = field(default_factory=dict)

    def add(self, split: str, hashes: Hashes) -> None:
        """Count rows of one split by the hashes of their keys."""
        waiting = self._waiting.setdefault(split, [])
        waiting.append(hashes[hashes <= np.uint64(self._limit)])
        if sum(map(len, waiting)) > self.most:
            self._settle(split)

    def overlap(self, column: str) -> Overlap:
        """Return the keys that are in more than one split."""
        for split in SPLITS:
            self._settle(split)
        for split in SPLITS:
            self._trim(split)
        keys, places = np.unique(np.concatenate(list(self._keys.values())), return_counts=True)
        shared = keys[places > 1]
        held_out = [split for split in SPLITS if split != "train"]
        rows = sum(int(self._rows[split][np.isin(self._keys[split], shared)].sum()) for split in held_out)
        total = sum(int(self._rows[split].sum()) for split in held_out)
        return Overlap(column, len(shared), rows, total, (self._limit + 1) / 2**64)

    def _settle(self, split: str) -> None:
        """Merge the pending counts; keep fewer hashes while there are too many."""
        known, counted = self._keys.get(split, np.empty(0, np.uint64)), self._rows.get(split, np.empty(0, np.int64))
        waiting = self._waiting.pop(split, [])
        rows = np.concatenate([counted, *(np.ones(len(part), np.int64) for part in waiting)])
        keys, places = np.unique(np.concatenate([known, *waiting]), return_inverse=True)
        self._keys[split] = keys
        self._rows[split] = np.bincount(places, weights=rows, minlength=len(keys)).astype(np.int64)
        while len(self._keys[split]) > self.most:
            self._limit //= 2
            self._trim(split)

    def _trim(self, split: str) -> None:
        kept = self._keys[split] <= np.uint64(self._limit)
        self._keys[split], self._rows[split] = self._keys[split][kept], self._rows[split][kept]


def find_overlaps(examples: Path, manifest: Manifest, features: dict[str, str], exclude: list[str]) -> list[Overlap]:
    """Count the rows that are in two splits, and for each excluded identifier the groups that are.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        features: Type by name of the columns that the model sees.
        exclude: The excluded columns; those named like identifiers are examined.
    """
    decided = manifest.split.columns if manifest.split and manifest.split.grouped else ()
    groups = [name for name in exclude if name in manifest.columns and is_named_group(name)]
    groups = [
        name for name in groups if not COLUMN_TYPES[manifest.columns[name]].feature.is_real and decided != (name,)
    ]
    types = {**features, **{name: manifest.columns[name] for name in groups}}
    keys: dict[str, list[str]] = {"": list(features), **{name: [name] for name in groups}}
    counters = {name: KeyCounter(max(MOST_HASHES // len(keys), _FEWEST_HASHES)) for name in keys}
    for split in SPLITS:
        for rows in _read_large_batches(examples, split, types):
            for name, hashed in keys.items():
                counters[name].add(split, _hashes(rows, hashed, name))
    return [counter.overlap(name) for name, counter in counters.items()]


def _read_large_batches(examples: Path, split: str, types: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a split in batches across spans, to reduce the overhead per batch."""
    most = batch_rows(len(types))
    waiting: list[pa.RecordBatch] = []
    for batch in read_batches(examples, split, list(types), batch_rows=most):
        columns = [column_of(batch, name, kind) for name, kind in types.items()]
        waiting.append(pa.RecordBatch.from_arrays(columns, names=list(types)))
        if sum(part.num_rows for part in waiting) >= most:
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting = []
    if waiting:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def _hashes(rows: pa.RecordBatch, columns: list[str], group: str) -> Hashes:
    hashes = hash_rows(rows, columns)
    # rows without an identifier do not form a group
    return hashes[np.asarray(rows.column(rows.schema.get_field_index(group)).is_valid())] if group else hashes


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
        return f": if rows with the same {overlap.column} belong together, set data.split.by to [{overlap.column}]"
    return ": the model is evaluated on rows it was trained on; split by all features (no data.split.by or by_time), or remove the copies"
