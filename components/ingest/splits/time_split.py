"""Split by time: the newest rows are test, those before them eval, the oldest train, as in production.

The borders lie between two different times, as near to the shares as these allow. Rows without a readable time go to
train, where they do not affect evaluation, and are counted in a check. With each new span the borders move: a test row
becomes a train row later, as intended.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.checks import Check, Status
from components._core.errors import DataError
from components._core.examples.artifact import Manifest
from components._core.examples.split_definition import TimeSplit
from components._core.examples.time_split import assign_splits, read_times, write_time
from components._core.project.split_config import Split
from components._core.types.column_types import to_text
from components._data.formats.rows import Rows
from components.ingest.splits.contract import Splitter, Table

_MOST_WAITING = 1 << 20
_FAR_OFF = 2.0
"""A split that is this many times larger or smaller than its share gets a warning."""


class TimeSplitter(Splitter):
    """Splits by a column with the time of a row."""

    def __init__(self, definition: TimeSplit, timeless: int) -> None:
        """Create it with the borders and the number of rows without a time."""
        self.definition: TimeSplit = definition
        self._timeless = timeless

    @classmethod
    def is_chosen(cls, split: Split) -> bool:
        """See `Splitter`."""
        return split.kind == "time"

    @classmethod
    def fit(cls, split: Split, table: Table) -> Self:
        """See `Splitter`. Memory grows with the number of distinct times: 16 bytes for each."""
        times = _Times()
        for rows in table.read(()):
            times.add(rows.examples.column(rows.examples.schema.get_field_index(split.time_column)))
        different, counts = times.result()
        if not len(different) and not times.missing:  # ingest's error about a table without rows is more helpful
            return cls(TimeSplit(split.time_column, 0, 0, split.train, split.eval, split.test), 0)
        _check_times(split, times, different)
        place_eval, place_test = _find_borders(counts, times.missing, split)
        borders = [write_time(different[place].item(), times.kind) for place in (place_eval, place_test)]
        definition = TimeSplit(split.time_column, borders[0], borders[1], split.train, split.eval, split.test)
        return cls(definition, times.missing)

    @property
    def cells(self) -> tuple[str, ...]:
        """See `Splitter`: the time is taken from the examples."""
        return ()

    def assign(self, rows: Rows, name: str = "") -> NDArray[np.int8]:
        """See `Splitter`."""
        return assign_splits(rows.examples, self.definition)

    def checks(self, manifest: Manifest) -> list[Check]:
        """See `Splitter`: where the borders are, and how many rows have no time."""
        total = max(sum(manifest.rows.values()), 1)
        definition = self.definition
        wanted = {"train": definition.train, "eval": definition.eval, "test": definition.test}
        found = {split: manifest.rows[split] / total for split in wanted}
        far_off = any(not 1 / _FAR_OFF <= found[split] / wanted[split] <= _FAR_OFF for split in wanted)
        shares = ", ".join(f"{split} {found[split]:.0%}" for split in wanted)
        message = (
            f"by {definition.column}: eval from {definition.eval_from}, test from {definition.test_from} ({shares}"
        )
        message += "; rows of one time stay together)" if far_off else ")"
        status: Status = "warn" if far_off else "pass"
        checks = [Check("time split", status, round(found["test"], 6), definition.test, n=total, reason=message)]
        if self._timeless:
            message = f"{self._timeless:,} of {total:,} rows have no time in {definition.column!r} that can be read: they go to train"
            checks.append(Check("rows without a time", "warn", float(self._timeless), 0.0, n=total, reason=message))
        return checks


class _Times:
    """Counts the rows of each distinct time."""

    def __init__(self) -> None:
        self.missing = 0
        self.kind: pa.DataType = pa.null()
        self.example = ""
        self._waiting: list[tuple[NDArray[Any], NDArray[np.int64]]] = []

    def add(self, column: pa.Array) -> None:
        """Add the next rows of the column."""
        self.kind = column.type
        times = read_times(column)
        self.missing += times.null_count
        if times.null_count and not self.example:
            unreadable = column.filter(times.is_null()).drop_null()
            self.example = str(to_text(unreadable)[0]) if len(unreadable) else ""
        self._waiting.append(np.unique(times.drop_null().to_numpy(), return_counts=True))
        if sum(len(times) for times, _ in self._waiting) > 2 * _MOST_WAITING:
            self._waiting = [self.result()]

    def result(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the distinct times, ascending, and the number of rows of each."""
        if not self._waiting:
            return np.empty(0), np.empty(0, np.int64)
        times, places = np.unique(np.concatenate([times for times, _ in self._waiting]), return_inverse=True)
        rows = np.concatenate([counts for _, counts in self._waiting])
        return times, np.bincount(places, weights=rows, minlength=len(times)).astype(np.int64)


def _check_times(split: Split, times: _Times, different: NDArray[Any]) -> None:
    if len(different) >= 3:
        return
    found = f", such as {times.example[:40]!r}" if times.example else ""
    message = f"column {split.time_column!r} has {len(different)} different times, and three splits need three"
    if times.missing:
        message += f"; {times.missing:,} rows have none that can be read{found}"
    remedy = "name a column of numbers or of ISO text, such as 2013-05-01 or 2013-05-01T10:00, or split by hash"
    raise DataError(message, where=split.column_path, remedy=remedy)


def _find_borders(counts: NDArray[np.int64], missing: int, split: Split) -> tuple[int, int]:
    """Return the indices of the first eval and of the first test time, as close to the shares as possible."""
    before = missing + np.append(0, np.cumsum(counts)[:-1])
    rows = missing + int(counts.sum())
    last = len(counts) - 1
    place_eval = 1 + int(np.argmin(np.abs(before[1:last] - split.train * rows)))
    after = place_eval + 1
    place_test = after + int(np.argmin(np.abs(before[after:] - (split.train + split.eval) * rows)))
    return place_eval, place_test
