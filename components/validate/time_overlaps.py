"""Check that rows which judge a model are not older than rows that it was trained on, where splits go by time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.checks import Check
from components._core.examples.artifact import Manifest, read_batches, read_head
from components._core.examples.split_definition import GivenSplit, TimeSplit
from components._core.examples.time_split import read_times, write_time
from components._core.project.gate_config import Severity
from components._core.types.column_types import COLUMN_TYPES, TIME
from components.validate.findings import to_status

MOST_OLDER = 0.01
"""Share of the eval and test rows, older than the newest training row, from which it is a finding."""
NOT_BY_TIME = 0.5
"""Share from which a given split does not go by time at all."""
_HEAD = 200
_KIND, _NAME = "time_overlap", "time overlap"


@dataclass(frozen=True)
class TimeOverlap:
    """How the times of two splits overlap.

    Attributes:
        column: The column with the time.
        newest: Time of the newest training row, as text.
        older: Number of eval and test rows before it.
        held_out: Number of eval and test rows with a time.
    """

    column: str
    newest: str
    older: int
    held_out: int

    @property
    def share(self) -> float:
        """Share of the rows before the newest training row, 0 to 1."""
        return self.older / self.held_out if self.held_out else 0.0


def check_times(examples: Path, manifest: Manifest, policy: dict[str, Severity]) -> list[Check]:
    """Check a split by time, and a given split by each column of times; others mix all times on purpose."""
    if isinstance(manifest.split, TimeSplit):
        columns = [manifest.split.column]
    elif isinstance(manifest.split, GivenSplit):
        columns = _time_columns(examples, manifest)
    else:
        reason = "rows are not split by time: every split has rows of all times (to forecast: data.split: {method: time, by: ...})"
        return [Check(_NAME, "skipped", threshold=MOST_OLDER, reason=reason)]
    return [_check(find_overlap(examples, column), len(columns) > 1, policy) for column in columns]


def find_overlap(examples: Path, column: str) -> TimeOverlap:
    """Count the eval and test rows that are older than the newest training row, in bounded memory."""
    newest, kind = -np.inf, pa.null()
    for batch in read_batches(examples, "train", [column]):
        kind = batch.column(0).type
        largest = pc.max(read_times(batch.column(0))).as_py()
        newest = newest if largest is None else max(newest, largest)
    older = held_out = 0
    for split in ("eval", "test"):
        for batch in read_batches(examples, split, [column]):
            times = read_times(batch.column(0)).drop_null().to_numpy()
            older, held_out = older + int((times < newest).sum()), held_out + len(times)
    shown = "no time" if newest == -np.inf else str(write_time(newest, kind))
    return TimeOverlap(column, shown, older, held_out)


def _time_columns(examples: Path, manifest: Manifest) -> list[str]:
    """List the columns of timestamps, and those of texts that are times in the first rows."""
    columns = []
    for name, kind in manifest.columns.items():
        if COLUMN_TYPES[kind] is TIME:
            columns.append(name)
        elif kind == "string":
            head = read_head(examples, "train", _HEAD, [name])
            values = head.column(0).combine_chunks().drop_null() if head.num_columns else pa.array([], pa.string())
            values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
            if len(values) and not read_times(values).null_count:
                columns.append(name)
    return columns


def _check(overlap: TimeOverlap, named: bool, policy: dict[str, Severity]) -> Check:
    name = f"{_NAME}: {overlap.column}" if named else _NAME
    is_finding = MOST_OLDER < overlap.share < NOT_BY_TIME
    status = to_status(policy[_KIND]) if is_finding else "pass"
    reason = (
        f"{overlap.older:,} of {overlap.held_out:,} eval and test rows ({overlap.share:.2%}) are older by {overlap.column} "
        f"than the newest training row ({overlap.newest})"
    )
    if overlap.share >= NOT_BY_TIME:
        reason += ": the split does not go by time"
    elif is_finding:
        reason += ": if the split is to go by time, these rows know the future; correct it, or set data.split: {method: time, by: ...}"
    if status == "skipped":
        reason += " (ignored by gates.data.anomalies)"
    return Check(name, status, round(overlap.share, 6), MOST_OLDER, n=overlap.held_out, reason=reason)
