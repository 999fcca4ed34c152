"""Builds the reference of a version from its training rows in two passes: the cells from a sample, then the counts by block.

Memory is bounded: a sample of the numbers, the texts up to a limit, and the counts, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import (
    DECILES,
    MOST_KNOWN,
    Bins,
    NumberBins,
    TextBins,
    number_bins,
    ranges_of_others,
    text_bins,
    to_model_precision,
)
from components._core.monitoring.hours_of_days import count_by_hour, days_with_hours
from components._core.monitoring.reference import HOURS, Column
from components._core.types.column_types import to_feature
from components._core.types.signature import Feature

MOST_BLOCKS = 400
"""Days that are kept, the newest: more than a year, so that every season is there."""
_SMALLEST_BLOCK = 250
_ROW_BLOCKS = 200
_SAMPLE_ROWS = 100_000
_SAMPLE_VALUES = 20_000_000
_PRUNED_AT = 4 * MOST_KNOWN
_SEED = 20_261_128

ReadRows = Callable[[], Iterator[pa.RecordBatch]]
"""Yields all rows, in the same order whenever it is called."""
ReadDays = Callable[[pa.RecordBatch], NDArray[np.int64]]
"""Returns the day of each row as an ordinal, negative where it is unknown."""
ReadHours = Callable[[pa.RecordBatch], NDArray[np.int64]]
"""Returns the hour of the day of each row, 0 to 23; any where its day is unknown."""


@dataclass(frozen=True)
class FeatureBlocks:
    """The part of a reference that is about features.

    Attributes:
        days: Day of each block; empty when blocks are parts of the rows in their order.
        features: By feature.
    """

    days: tuple[int, ...]
    features: dict[str, Column]


def build_features(
    read: ReadRows,
    rows: int,
    features: Sequence[Feature],
    read_days: ReadDays | None = None,
    read_hours: ReadHours | None = None,
) -> FeatureBlocks:
    """Build the reference of the features.

    Args:
        read: Yields the training rows; it is called twice.
        rows: Number of the rows.
        features: The model's inputs; the rows have a column for each, by name.
        read_days: Returns the rows' days; None: blocks are parts of the rows in their order.
        read_hours: Returns the rows' hours, of rows with days; None, or a single hour in all rows: nothing is counted by hour.
    """
    sample = _read_sample(read, rows, features, read_days, read_hours)
    blocks = sorted(sample.days)[-MOST_BLOCKS:] if len(sample.days) > 1 else []
    size = max(_SMALLEST_BLOCK, -(-rows // _ROW_BLOCKS))
    count = len(blocks) or max(rows // size, 1)
    drawn = places_of_days(sample.days_of_rows, blocks) if blocks else np.minimum(sample.rows // size, count - 1)
    counters = {}
    for feature in features:
        if feature.type.is_text:
            counters[feature.name] = _ColumnCounter(sample.texts[feature.name].bins(), count)
        else:
            values = np.concatenate([np.zeros(0), *sample.numbers[feature.name]])
            cells = number_bins(values, feature.dtype, DECILES)
            counters[feature.name] = _ColumnCounter(cells, count, ranges_of_others(values, drawn, count))
    if blocks and len(sample.hours) > 1:
        kept = days_with_hours([counter.bins for counter in counters.values()], count)
        for counter in counters.values():
            counter.keep_hours(kept)
    first = 0
    for batch in read():
        hours = read_hours(batch) if read_hours else np.zeros(batch.num_rows, dtype=np.int64)
        if blocks and read_days:
            places = places_of_days(read_days(batch), blocks)
        else:  # the rest of the rows joins the last block, so that none is much smaller
            places = np.minimum(np.arange(first, first + batch.num_rows) // size, count - 1)
        first += batch.num_rows
        for feature in features:
            counters[feature.name].add(to_feature(batch[feature.name], feature.name, feature.type), places, hours)
    return FeatureBlocks(tuple(blocks), {name: counter.column() for name, counter in counters.items()})


def places_of_days(days: NDArray[np.int64], blocks: Sequence[int]) -> NDArray[np.int64]:
    """Return the block of each row, -1 for rows of other days."""
    known = np.asarray(blocks, dtype=np.int64)
    places = np.minimum(np.searchsorted(known, days), len(known) - 1)
    return np.where(known[places] == days, places, -1)


@dataclass
class _Sample:
    """What the first pass over the rows keeps.

    Attributes:
        rows: Places of the sampled rows, shape [sampled].
        numbers: Values of the sampled rows by numeric feature, NaN where one is missing, in parts.
        texts: Counts by text feature, of all rows.
        days: All days that occur.
        days_of_rows: Day of each sampled row; without days empty.
        hours: All hours that occur.
    """

    rows: NDArray[np.int64]
    numbers: dict[str, list[NDArray[np.float64]]]
    texts: dict[str, _TextCounter]
    days: set[int] = field(default_factory=set)
    days_of_rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    hours: set[int] = field(default_factory=set)


def _read_sample(
    read: ReadRows,
    rows: int,
    features: Sequence[Feature],
    read_days: ReadDays | None,
    read_hours: ReadHours | None,
) -> _Sample:
    """Read the rows once."""
    wanted = max(min(rows, _SAMPLE_ROWS, _SAMPLE_VALUES // max(len(features), 1)), 1)
    taken = np.sort(np.random.default_rng(_SEED).choice(rows, wanted, replace=False)) if rows else np.zeros(0, np.int64)
    sample = _Sample(
        taken,
        {item.name: [] for item in features if not item.type.is_text},
        {item.name: _TextCounter() for item in features if item.type.is_text},
    )
    days: list[NDArray[np.int64]] = [sample.days_of_rows]
    first = 0
    for batch in read():
        own = taken[np.searchsorted(taken, first) : np.searchsorted(taken, first + batch.num_rows)] - first
        first += batch.num_rows
        sampled = batch.take(pa.array(own))
        for feature in features:
            if feature.type.is_text:
                sample.texts[feature.name].add(to_feature(batch[feature.name], feature.name, feature.type))
            else:
                values = to_feature(sampled[feature.name], feature.name, feature.type).cast(pa.float64(), safe=False)
                numbers = np.asarray(values.fill_null(np.nan), dtype=np.float64)
                sample.numbers[feature.name].append(to_model_precision(numbers, feature.dtype))
        if read_days:
            own_days = read_days(batch)
            sample.days.update(day for day in np.unique(own_days).tolist() if day >= 0)
            days.append(own_days[own])
            if read_hours:
                sample.hours.update(np.unique(read_hours(batch)[own_days >= 0]).tolist())
    sample.days_of_rows = np.concatenate(days)
    return sample


class _TextCounter:
    """Counts texts; of very many values only the frequent ones stay."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._is_open = False

    def add(self, values: Any) -> None:
        for item in pc.value_counts(values).to_pylist():
            if item["values"]:
                self._counts[item["values"]] = self._counts.get(item["values"], 0) + item["counts"]
        if len(self._counts) > _PRUNED_AT:
            self._is_open = True
            ranked = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
            self._counts = dict(ranked[:MOST_KNOWN])

    def bins(self) -> TextBins:
        return text_bins(self._counts, self._is_open)


@dataclass
class _ColumnCounter:
    """Counts one feature by block and cell, and the rows of each block that have what no other block has: a text, or a number out of its range."""

    bins: Bins
    blocks: int
    ranges: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    counts: NDArray[np.int64] = field(init=False)
    novel: NDArray[np.int64] = field(init=False)
    first_block: NDArray[np.int64] = field(init=False)
    rows_there: NDArray[np.int64] = field(init=False)
    hours: NDArray[np.int64] = field(init=False)
    novel_hours: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.blocks, self.bins.size), dtype=np.int64)
        self.novel = np.zeros(self.blocks, dtype=np.int64)
        known = len(self.bins.top) + len(self.bins.others) if isinstance(self.bins, TextBins) else 0
        self.first_block = np.full(known, -1, dtype=np.int64)  # -1: not seen, -2: in several
        self.rows_there = np.zeros(known, dtype=np.int64)
        self.keep_hours(0)

    def keep_hours(self, days: int) -> None:
        """Count by hour, too, on the last days."""
        self.hours = np.zeros((days, HOURS, self.bins.size), dtype=np.int64)
        is_number = isinstance(self.bins, NumberBins)
        self.novel_hours = np.zeros((days if is_number else 0, HOURS), dtype=np.int64)

    def add(self, values: Any, blocks: NDArray[np.int64], hours: NDArray[np.int64]) -> None:
        """Count values; a negative block leaves a row out."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        kept, size = blocks >= 0, self.bins.size
        places = self.bins.places(values)
        cells = places[kept] + blocks[kept] * size
        self.counts += np.bincount(cells, minlength=self.blocks * size).reshape(self.blocks, size)
        days = blocks - (self.blocks - len(self.hours))
        if len(self.hours):
            self.hours += count_by_hour(days, hours, places, (len(self.hours), HOURS, size))
        if isinstance(self.bins, NumberBins):
            numbers, own = self.bins.numbers(values)[kept], blocks[kept]
            is_novel = (numbers < self.ranges[own, 0]) | (numbers > self.ranges[own, 1])
            self.novel += np.bincount(own[is_novel], minlength=self.blocks)
            if len(self.novel_hours):
                new, own_hours = days[kept][is_novel], hours[kept][is_novel]
                self.novel_hours += count_by_hour(new, own_hours, np.zeros_like(new), (len(self.hours), HOURS, 1))[
                    :, :, 0
                ]
        elif not self.bins.is_open:
            self._note_blocks(self.bins.codes(values)[kept], blocks[kept])

    def _note_blocks(self, codes: NDArray[np.int64], blocks: NDArray[np.int64]) -> None:
        is_known = codes < len(self.first_block)
        pairs, rows = np.unique(codes[is_known] * self.blocks + blocks[is_known], return_counts=True)
        values, places = pairs // self.blocks, pairs % self.blocks
        for value, place, count in zip(values.tolist(), places.tolist(), rows.tolist(), strict=True):
            if self.first_block[value] in (-1, place):
                self.first_block[value] = place
                self.rows_there[value] += count
            else:
                self.first_block[value] = -2

    def column(self) -> Column:
        if isinstance(self.bins, TextBins):
            if self.bins.is_open:
                return Column(self.bins, self.counts, hours=self.hours)
            alone = self.first_block >= 0
            novel = np.bincount(self.first_block[alone], self.rows_there[alone], minlength=self.blocks)
            return Column(self.bins, self.counts, novel.astype(np.int64), self.hours)
        return Column(self.bins, self.counts, self.novel, self.hours, self.novel_hours)
