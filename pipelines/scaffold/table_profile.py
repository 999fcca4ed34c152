"""Profile a table in one pass and bounded memory, as the pipeline itself will read it.

The rows come from ingest's own reader, so types, missing values and unreadable rows are the same as in
a run. Counts, missing values and ranges are exact; the number of distinct values is exact up to some thousands and
estimated beyond; shapes (words, dates, tails) and relations with the label come from a fixed random sample of the rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.util import hash_array

from components._core.project.column_config import ColumnReading
from components._core.project.table_config import Csv
from components._core.types.column_types import to_feature, to_plain, type_of_arrow
from components._core.types.feature_types import STRING, FeatureType
from components._core.types.label_values import as_text
from components._data.columns.cell_counts import CellCounts
from components._data.columns.date_orders import OrderCounts
from components._data.columns.reading import Reading
from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from pipelines.scaffold.table_location import MOST_ROWS, TableLocation

SAMPLE_ROWS = 20_000
"""Rows in the sample: enough to distinguish a leak from a good feature."""
SAMPLE_CELLS = 4_000_000
"""Cells in the sample, so that a thousand columns take no more memory than twenty."""
COUNTED_VALUES = 1_000
"""Distinct labels up to which the rows of each are counted."""
_SMALLEST_HASHES = 4_096
_SHOWN_TEXTS = 1_000
_SHOWN_NUMBERS = 3
_SEED = 7


@dataclass(frozen=True)
class Column:
    """The profile of one column.

    Attributes:
        name: Its name.
        type: Its feature type.
        rows: Rows with a label.
        missing: Rows of them without a value.
        distinct: Different values, missing not counted; an estimate (3 %) above some thousands.
        minimum: Smallest number; None for text.
        maximum: Largest number; None for text.
        mean: Mean of the numbers; None for text.
        deviation: Standard deviation of the numbers; None for text.
        skewness: Skewness of the sampled numbers: 0 when symmetric, above 3 when a few are very large; 0 for text.
        counts: Rows by value as the text of a class, largest first; of the label only, and empty when it has more than `COUNTED_VALUES`.
        words: Words per sampled text, on average; 0 for numbers.
        length: Characters per sampled text, on average; 0 for numbers.
        values: Different sampled values as text, in the order of the rows: 1,000 texts or 3 numbers at most.
    """

    name: str
    type: FeatureType
    rows: int
    missing: int
    distinct: int
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    skewness: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    words: float = 0.0
    length: float = 0.0
    values: tuple[str, ...] = ()

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def distinct_share(self) -> float:
        """Different values per row that has one, 0 to 1."""
        known = self.rows - self.missing
        return min(self.distinct / known, 1.0) if known else 0.0


@dataclass(frozen=True)
class Profile:
    """The profile of a table.

    Attributes:
        columns: Every column, in the table's order, the label included, without those that are measured of a picture or a text; only rows
            with a label count.
        rows: Rows with a label.
        unlabelled: Rows without a label.
        unreadable: Rows that cannot be read, such as ragged ones.
        first_unreadable: Line and reason of the first unreadable row; empty when there is none.
        sample: A random sample of the rows with a label.
        written: How the files are written and which rows are not data, where that is unusual; empty: it is not.
        csv: CSV options that were detected or named, other than the default.
        readings: Readings of the columns whose texts become values.
        notes: What inference says of a column's cells, such as their unit.
        odd: Cells that do not fit their column and are missing.
        absent: Cells with a text that stands for a missing value, such as `NA`.
        orders: Dates by the orders of day and month in which they can be read.
        is_partial: Whether there are more rows than were read.
    """

    columns: dict[str, Column]
    rows: int
    unlabelled: int
    unreadable: int
    first_unreadable: str
    sample: pa.Table
    written: str = ""
    csv: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    odd: CellCounts = field(default_factory=CellCounts)
    absent: CellCounts = field(default_factory=CellCounts)
    orders: OrderCounts = field(default_factory=OrderCounts)
    is_partial: bool = False


def profile_table(
    location: TableLocation,
    label: str,
    csv: Csv | None = None,
    readings: dict[str, ColumnReading] | None = None,
    sample_rows: int = 0,
) -> Profile:
    """Read a table and make its profile.

    Of a table that is not on this machine at most about `MOST_ROWS` are read, an equal part of each file from its beginning.

    Args:
        location: The table; placeholders in its path stand for spans.
        label: The column to predict.
        csv: How a CSV is written; what it leaves out is detected.
        readings: How cells are read, as in `data.columns`; default: as they look.
        sample_rows: Rows in the sample; 0: `SAMPLE_ROWS`.

    Raises:
        DataError: When the table cannot be read.
    """
    there = location.list_files()
    files = location.choose_files(there)
    data = location.as_data(csv or Csv(), readings)
    table = open_format(data, files[0])
    schema = table.infer_schema(files, label)
    skipped = _SkippedRows(label)
    statistics = {name: _ColumnStatistics(Counter() if name == label else None) for name in schema.types}
    tally = FileTally()
    sample = _Sample(min(sample_rows or SAMPLE_ROWS, max(SAMPLE_CELLS // len(statistics), 200)))
    most = 0 if location.is_here else max(MOST_ROWS // len(files), 1)
    is_partial = len(files) < len(there)
    for file in files:
        before = sample.seen
        for rows in table.read_rows(file, schema, label, skipped.add, tally=tally):
            if most and sample.seen - before >= most:
                is_partial = True
                break
            plain = _to_plain(rows.examples, label)
            sample.add(plain)
            for name, values in zip(plain.schema.names, plain.columns, strict=True):
                statistics[name].add(values)
    skipped.count.check_quotes(sample.seen)
    sampled = sample.table()
    known = statistics if sampled.num_columns else {}
    columns = {
        name: statistic.column(name, sampled[name]) for name, statistic in known.items() if name not in data.exclude
    }
    written = [table.describe(), *skipped.describe_others()]
    counts = (sample.seen, skipped.unlabelled, skipped.unreadable, skipped.first)
    known_csv = ("; ".join(filter(None, written)), table.detected)
    return Profile(
        columns,
        *counts,
        sampled,
        *known_csv,
        schema.readings,
        schema.notes,
        tally.odd,
        tally.missing,
        tally.orders,
        is_partial,
    )


def _to_plain(examples: pa.RecordBatch, label: str) -> pa.RecordBatch:
    """Convert columns to what a model takes before it is narrowed: numbers or texts; the label's truth values to the classes' texts."""
    names = examples.schema.names
    columns = [
        to_feature(column, name, STRING) if name == label else to_plain(column, name)
        for name, column in zip(names, examples.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=names)


@dataclass
class _SkippedRows:
    """Rows that do not become examples."""

    label: str
    unlabelled: int = 0
    unreadable: int = 0
    first: str = ""
    count: BadRowCount = field(default_factory=BadRowCount)

    def add(self, row: BadRow) -> None:
        self.count.add(row)
        if not row.is_data:
            return
        if row.reason == f"the label {self.label!r} is missing":
            self.unlabelled += 1
            return
        self.unreadable += row.rows
        self.first = self.first or f"{row.place}: {row.reason}"

    def describe_others(self) -> list[str]:
        """Describe the rows that are not data, a sentence for each reason."""
        return [
            f"{rows:,} {'row is' if rows == 1 else 'rows are'} not data and set aside: {self.count.first_others[reason].place}: {reason}"
            for reason, rows in self.count.others.items()
        ]


class _Sample:
    """A sample of the rows with the smallest of seeded random numbers: the same for the same table."""

    def __init__(self, rows: int) -> None:
        self.seen = 0
        self._rows = rows
        self._random = np.random.default_rng(_SEED)
        self._kept: list[pa.RecordBatch] = []
        self._numbers = np.empty(0)

    def add(self, batch: pa.RecordBatch) -> None:
        numbers = self._random.random(batch.num_rows)
        self.seen += batch.num_rows
        self._kept.append(batch)
        self._numbers = np.concatenate([self._numbers, numbers])
        if len(self._numbers) > 2 * self._rows:
            self._trim()

    def _trim(self) -> None:
        keep = np.sort(np.argsort(self._numbers, kind="stable")[: self._rows])
        self._kept = pa.Table.from_batches(self._kept).take(pa.array(keep)).combine_chunks().to_batches()
        self._numbers = self._numbers[keep]

    def table(self) -> pa.Table:
        if len(self._numbers) > self._rows:
            self._trim()
        return pa.Table.from_batches(self._kept) if self._kept else pa.table({})


@dataclass
class _ColumnStatistics:
    """Statistics of one column, updated batch by batch."""

    counts: Counter[str] | None
    rows: int = 0
    missing: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    total: float = 0.0
    squares: float = 0.0
    hashes: NDArray[Any] = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, values: pa.Array) -> None:
        self.rows += len(values)
        self.missing += values.null_count
        known = values.drop_null()
        if not len(known):
            return
        self._count(known)
        if not pa.types.is_string(known.type):
            self._measure(known.to_numpy(zero_copy_only=False).astype(np.float64))

    def _count(self, known: pa.Array) -> None:
        different = known.unique()
        plain = (
            np.asarray(different.to_pylist(), dtype=object)
            if pa.types.is_string(different.type)
            else different.to_numpy()
        )
        self.hashes = np.union1d(self.hashes, hash_array(plain, categorize=False))[:_SMALLEST_HASHES]
        if self.counts is None:
            return
        counted = known.value_counts()
        classes = as_text(counted.field("values")).to_pylist()
        self.counts.update(dict(zip(classes, counted.field("counts").to_pylist(), strict=True)))
        if len(self.counts) > COUNTED_VALUES:
            self.counts = None

    def _measure(self, numbers: NDArray[Any]) -> None:
        finite = numbers[np.isfinite(numbers)]
        if len(finite):
            self.minimum, self.maximum = min(self.minimum, float(finite.min())), max(self.maximum, float(finite.max()))
            self.total += float(finite.sum())
            self.squares += float((finite**2).sum())

    def column(self, name: str, sample: pa.ChunkedArray) -> Column:
        counts = dict(sorted((self.counts or {}).items(), key=lambda pair: (-pair[1], pair[0])))
        known = sample.drop_null()
        kind = type_of_arrow(sample.type, name).feature
        column = Column(name, kind, self.rows, self.missing, self._distinct(), counts=counts)
        return self._with_text(column, known) if column.type.is_text else self._with_numbers(column, known)

    def _with_text(self, column: Column, known: pa.ChunkedArray) -> Column:
        words = _mean(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(known))))
        values = tuple(known.unique()[:_SHOWN_TEXTS].to_pylist())
        return replace(column, words=words, length=_mean(pc.utf8_length(known)), values=values)

    def _with_numbers(self, column: Column, known: pa.ChunkedArray) -> Column:
        column = replace(column, values=tuple(str(value) for value in known.unique()[:_SHOWN_NUMBERS].to_pylist()))
        if not np.isfinite(self.minimum):
            return column
        numbers = self.rows - self.missing
        mean = self.total / numbers
        deviation = max(self.squares / numbers - mean**2, 0.0) ** 0.5
        skewness = _skewness(known.to_numpy().astype(np.float64))
        return replace(
            column, minimum=self.minimum, maximum=self.maximum, mean=mean, deviation=deviation, skewness=skewness
        )

    def _distinct(self) -> int:
        """Count distinct values: exactly while few, else estimated from the density of the smallest hashes."""
        if len(self.hashes) < _SMALLEST_HASHES:
            return len(self.hashes)
        return min(round((_SMALLEST_HASHES - 1) / (float(self.hashes[-1]) / 2.0**64)), self.rows - self.missing)


def _mean(values: pa.ChunkedArray) -> float:
    return float(pc.mean(values).as_py() or 0.0)


def _skewness(numbers: NDArray[Any]) -> float:
    finite = numbers[np.isfinite(numbers)]
    if len(finite) < 3 or finite.std() == 0:
        return 0.0
    return float((((finite - finite.mean()) / finite.std()) ** 3).mean())
