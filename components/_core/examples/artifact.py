"""The examples artifact: rows as Parquet, one file per split and span, read and written in bounded batches.

    examples/
        manifest.json              see `Manifest`
        train/span-00001.parquet   flat columns of the types in `column_types.py`, each nullable
        eval/...
        test/...

All code reads examples through this module, so the format on disk is defined in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.safe_parquet import pq
from components._core.examples.split_definition import SplitDefinition, load_definition
from components._core.files import fingerprint_of, read_json, write_json
from components._core.types.artifact_files import MANIFEST
from components._core.types.span_units import NUMBER, UNITS, SpanUnit, runs_of

SPLITS = ("train", "eval", "test")
BATCH_ROWS = 65_536
"""Rows per batch in memory: large enough that overhead is small; a few megabytes for a usual table."""
BATCH_BYTES = 32 << 20
"""Most bytes of texts and of bytes, such as pictures, per batch, unless one row has more."""


@dataclass(frozen=True)
class SourceFile:
    """One source file that was read.

    Attributes:
        path: Path of the file, as the project names it.
        span: Span of the file; 1 when the source has none.
        rows: Rows that became examples.
        quarantined: Rows set aside.
        bytes: Size of the file.
        sha256: Fingerprint of the file's content.
    """

    path: str
    span: int
    rows: int
    quarantined: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class JoinedTable:
    """A second table whose columns were joined to the rows.

    Attributes:
        name: What messages call it.
        columns: Name in the examples by name in the second table.
        unmatched: Rows without a match.
        files: Its files.
    """

    name: str
    columns: dict[str, str]
    unmatched: int
    files: list[SourceFile]


@dataclass(frozen=True)
class Manifest:
    """The contents of an examples artifact and their origin.

    Attributes:
        fingerprint: Fingerprint of the contents and of the split; equal data has equal fingerprints on any machine.
        columns: Name of the type (see `COLUMN_TYPES`) by column name, in order.
        rows: Rows by split.
        spans: The spans read, ascending.
        files: The files read.
        split: How the rows were split; None in older examples, which were split by rule 1.
        span_unit: Name of the unit of the spans, see `span_units.py`.
        dropped: Rows that `data.rows` left out, by rule; empty without rules.
        joined: The second tables of `data.join`, in its order.
    """

    fingerprint: str
    columns: dict[str, str]
    rows: dict[str, int]
    spans: list[int]
    files: list[SourceFile]
    split: SplitDefinition | None = None
    span_unit: str = NUMBER.name
    dropped: dict[str, int] = field(default_factory=dict)
    joined: list[JoinedTable] = field(default_factory=list)

    @property
    def unit(self) -> SpanUnit:
        """The unit of the spans."""
        return UNITS.get(self.span_unit, NUMBER)

    def format_spans(self, spans: Iterable[int] | None = None) -> str:
        """Format some spans as people write them, as in `2024-01..2024-06`; None: those that were read."""
        return self.unit.ranges(runs_of(sorted(map(self.unit.position, self.spans if spans is None else spans))))

    def span_fingerprints(self) -> dict[int, str]:
        """Return a fingerprint of the content of each span's files: a corrected span has another."""
        digests: dict[int, list[str]] = {}
        for file in self.files:
            digests.setdefault(file.span, []).append(file.sha256)
        return {span: fingerprint_of(found) for span, found in digests.items()}

    def save(self, examples: Path) -> None:
        """Write it into the artifact."""
        raw = asdict(self)
        for name in ("dropped", "joined"):  # as manifests were before there were rules and joins
            if not raw[name]:
                del raw[name]
        if self.split is not None:
            raw["split"]["fingerprint"] = self.split.fingerprint
        write_json(examples / MANIFEST, raw)

    @classmethod
    def load(cls, examples: Path) -> Manifest:
        """Read it from the artifact."""
        return cls.from_json(read_json(examples / MANIFEST))

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Manifest:
        """Restore the manifest from the JSON that `save` wrote."""
        # sort_keys orders the file for people and diffs; the columns' own order is the Parquet schema's
        split = load_definition(raw["split"]) if raw.get("split") else None
        files = [SourceFile(**file) for file in raw["files"]]
        joined = [
            JoinedTable(**{**table, "files": [SourceFile(**file) for file in table["files"]]})
            for table in raw.get("joined", [])
        ]
        return cls(**{**raw, "files": files, "split": split, "joined": joined})


def split_file(examples: Path, split: str, span: int) -> Path:
    """Return the file with the rows of one split and span."""
    return examples / split / f"span-{span:05d}.parquet"


def split_files(examples: Path, split: str, spans: list[int] | None = None) -> list[Path]:
    """List the files of one split (and of some spans only, if given), in the order of their spans."""
    if spans is not None:
        return [path for span in spans if (path := split_file(examples, split, span)).exists()]
    # a span of more than five digits is longer than the others: its name does not sort as its number does
    return sorted((examples / split).glob("span-*.parquet"), key=lambda path: (len(path.name), path.name))


def read_batches(
    examples: Path,
    split: str,
    columns: list[str] | None = None,
    spans: list[int] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one split as record batches of at most `batch_rows` and about `BATCH_BYTES`, in a stable order."""
    for path in split_files(examples, split, spans):
        with pq.ParquetFile(path) as file:
            most = max(1, min(batch_rows, int(BATCH_BYTES // max(_row_bytes(file.metadata, columns), 1.0))))
            yield from file.iter_batches(batch_size=most, columns=columns)


def _row_bytes(footer: pq.FileMetaData, columns: list[str] | None) -> float:
    """Return the bytes of the texts and bytes of a row, on average in the row group that has the most."""
    names = [footer.schema.column(place).path for place in range(footer.num_columns)]
    read = [place for place, name in enumerate(names) if columns is None or name in columns]
    groups = map(footer.row_group, range(footer.num_row_groups))
    return max((_group_bytes(group, read) / max(group.num_rows, 1) for group in groups), default=0.0)


def _group_bytes(group: pq.RowGroupMetaData, read: list[int]) -> int:
    chunks = map(group.column, read)
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.physical_type == "BYTE_ARRAY")


def read_head(examples: Path, split: str, rows: int, columns: list[str] | None = None) -> pa.Table:
    """Return the first rows of one split as a table; fewer when the split has fewer."""
    batches, left = [], rows
    for batch in read_batches(examples, split, columns, batch_rows=min(rows, BATCH_ROWS)):
        batches.append(batch.slice(0, left))
        left -= batches[-1].num_rows
        if left <= 0:
            break
    return pa.Table.from_batches(batches) if batches else pa.table({})


def read_rows(examples: Path, split: str, places: NDArray[np.int64], columns: list[str]) -> pa.Table:
    """Return the rows at some places of one split, from 0, in the order of the split; only these stay in memory.

    Args:
        examples: The examples artifact.
        split: The split.
        places: Places in ascending order, each once.
        columns: The columns to read.
    """
    parts, seen = [], 0
    for batch in read_batches(examples, split, columns):
        inside = places[(places >= seen) & (places < seen + batch.num_rows)] - seen
        seen += batch.num_rows
        parts.append(pa.Table.from_batches([batch]).take(pa.array(inside)))
    return pa.concat_tables(parts) if parts else pa.table({})


def read_row(examples: Path, split: str, place: int) -> pa.Table:
    """Return the row at a place of one split, from 0, as a table; an empty one beyond its end. Reads only the row group that it is in."""
    for path in split_files(examples, split):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if place < rows:
                    return file.read_row_group(group).slice(place, 1)
                place -= rows
    return pa.table({})


def missing_counts(examples: Path, split: str) -> dict[str, int]:
    """Count the missing values of one split by column, from the files' footers."""
    counts: dict[str, int] = {}
    for path in split_files(examples, split):
        footer = pq.read_metadata(path)
        for group, place in product(range(footer.num_row_groups), range(footer.num_columns)):
            column = footer.row_group(group).column(place)
            missing = column.statistics.null_count if column.statistics else 0
            counts[column.path_in_schema] = counts.get(column.path_in_schema, 0) + missing
    return counts


def number_ranges(examples: Path, split: str, columns: list[str]) -> dict[str, tuple[float, float]]:
    """Return the smallest and largest number of one split by numeric column, from the files' footers."""
    ranges: dict[str, tuple[float, float]] = {}
    for path in split_files(examples, split):
        footer = pq.read_metadata(path)
        for group, place in product(range(footer.num_row_groups), range(footer.num_columns)):
            column = footer.row_group(group).column(place)
            name, found = column.path_in_schema, column.statistics
            if name in columns and found and found.has_min_max and isinstance(found.min, int | float):
                least, most = ranges.get(name, (found.min, found.max))
                ranges[name] = (min(least, found.min), max(most, found.max))
    return ranges


def row_count(examples: Path, split: str, spans: list[int] | None = None) -> int:
    """Count the rows of one split (and of some spans only, if given), from the files' footers."""
    return sum(pq.read_metadata(path).num_rows for path in split_files(examples, split, spans))
