"""Ingest a source: infer its schema, assign its rows to splits span by span, and record exactly what was read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.checks import Check, Outcome, judge
from components._core.examples.artifact import SPLITS, Manifest, SourceFile, split_file
from components._core.examples.safe_parquet import pq
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.types.artifact_files import QUARANTINE
from components._core.types.span_units import NUMBER
from components._data.columns.cell_counts import CellCounts
from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally, Rows
from components._data.rules.row_rules import RowFilter, describe_dropped
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source, span_unit
from components.ingest.named_columns import check_named_columns
from components.ingest.outcome_checks import check_cells, check_splits
from components.ingest.pinned_dataset import check_pin
from components.ingest.row_checks import check_dropped, check_other_rows, check_readable, column_types, judge_rows
from components.ingest.span_checks import check_missing_spans, check_spans
from components.ingest.splits.contract import Splitter, Table
from components.ingest.splits.registry import fit_splitter

FORMAT = "3"
"""Increased when the same source would give other examples, so that fingerprints differ."""


def ingest_examples(project: Project, *, examples: Path, quarantine: Path) -> Outcome:
    """Read the project's source into the examples artifact.

    Args:
        project: The project, with source, spans and split.
        examples: An empty folder; gets one Parquet file per split and span, and the manifest.
        quarantine: An empty folder; gets the unreadable rows as JSON lines.

    Raises:
        ConfigError: When the project names a column that the source does not have.
        DataError: When the source cannot be read, or more rows than `data.quarantine_limit` allows.
    """
    data = project.data
    files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
    table = open_format(data, files[0])
    schema = table.infer_schema(files, project.label)
    check_named_columns(project, list(schema.types))
    hidden = {project.label, *project.data.exclude}
    features = [name for name in schema.types if name not in hidden]
    names = frozenset(file.split for file in files if file.split)
    types = column_types(schema)
    rows = Table(
        features,
        project.label,
        lambda cells: _read_all(table, files, schema, project.label, cells, RowFilter(data.rows, types)),
        names,
    )
    splitter = fit_splitter(project.data.split, rows)
    rules = RowFilter(data.rows, types)
    with _Aside(quarantine / QUARANTINE) as aside:
        read = [
            ingested
            for span, of_span in groupby(files, lambda file: file.span)
            for ingested in _ingest_span(
                table, span, list(of_span), schema, project.label, splitter, rules, examples, aside
            )
        ]
    manifest = _manifest(project, table, types, splitter, examples, read, aside, rules.dropped)
    pinned = check_pin(project, manifest)
    judge_rows(project, manifest.files[0].path, sum(manifest.rows.values()), rules, aside.count)
    checks = [
        check_readable(sum(manifest.rows.values()) + rules.total, aside.count),
        *check_dropped(sum(manifest.rows.values()), rules.dropped),
        *pinned,
        *check_missing_spans(project, manifest.spans),
        *check_other_rows(aside.count),
        *check_cells(aside.odd, aside.missing, sum(manifest.rows.values())),
        *check_spans(manifest),
        *splitter.checks(manifest),
        *check_splits(project, manifest, examples),
    ]
    manifest.save(examples)
    return _outcome(manifest, checks, aside, table.describe())


@dataclass
class _Aside:
    """Writes the rows set aside, and counts empty lines and the cells that became missing."""

    path: Path
    count: BadRowCount = field(default_factory=BadRowCount)
    blank: int = 0
    by_file: dict[str, int] = field(default_factory=dict)
    odd: CellCounts = field(default_factory=CellCounts)
    missing: CellCounts = field(default_factory=CellCounts)

    def __enter__(self) -> _Aside:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: BadRow) -> None:
        self.count.add(row)
        self.by_file[row.file] = self.by_file.get(row.file, 0) + row.rows
        self._file.write(json.dumps(row.to_dict(), ensure_ascii=False, sort_keys=True) + "\n")


def _read_all(
    table: Format, files: list[SpanFile], schema: TableSchema, label: str, cells: Collection[str], rules: RowFilter
) -> Iterator[Rows]:
    """Read all rows that will become examples; rows set aside are reported in the final pass only."""
    for file in files:
        yield from map(rules.apply, table.read_rows(file, schema, label, lambda row: None, cells))


def _ingest_span(
    table: Format,
    span: int,
    files: list[SpanFile],
    schema: TableSchema,
    label: str,
    splitter: Splitter,
    rules: RowFilter,
    examples: Path,
    aside: _Aside,
) -> list[SourceFile]:
    """Read all files of a span into one file for each split."""
    read = []
    with _SpanWriter(examples, span) as writer:
        for file in files:
            count, tally = 0, FileTally()
            for rows in map(rules.apply, table.read_rows(file, schema, label, aside.add, splitter.cells, tally)):
                writer.write(rows, splitter.assign(rows, file.split))
                count += rows.examples.num_rows
            aside.blank += tally.blank
            aside.odd.merge(tally.odd)
            aside.missing.merge(tally.missing)
            quarantined = aside.by_file.get(file.name, 0)
            read.append(SourceFile(file.name, span, count, quarantined, tally.bytes, tally.sha256.hexdigest()))
    return read


class _SpanWriter:
    """Writes the rows of one span, a file for each split that gets some."""

    def __init__(self, examples: Path, span: int) -> None:
        self._examples, self._span = examples, span
        self._files: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> _SpanWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def write(self, rows: Rows, numbers: NDArray[np.int8]) -> None:
        """Write some rows, each into its split (the number of its place in `SPLITS`)."""
        for number, split in enumerate(SPLITS):
            part = rows.examples.filter(pa.array(numbers == number))
            if not part.num_rows:
                continue
            if split not in self._files:
                path = split_file(self._examples, split, self._span)
                path.parent.mkdir(exist_ok=True)
                # format 2.6: an older one has no nanoseconds
                self._files[split] = pq.ParquetWriter(path, part.schema, compression="snappy", version="2.6")
            self._files[split].write_table(pa.Table.from_batches([part]))


def _manifest(
    project: Project,
    table: Format,
    columns: dict[str, str],
    splitter: Splitter,
    examples: Path,
    read: list[SourceFile],
    aside: _Aside,
    dropped: dict[str, int],
) -> Manifest:
    how = json.dumps(
        [
            *(FORMAT, columns, project.label, splitter.definition.fingerprint, table.options),
            *_conversions(project, aside),
            *([project.data.rows.model_dump()] if dropped else []),
        ]
    )
    fingerprint = fingerprint_of([how, *(f"{file.span} {file.sha256}" for file in read)])
    rows = {
        split: sum(pq.read_metadata(path).num_rows for path in sorted((examples / split).glob("*.parquet")))
        for split in SPLITS
    }
    unit = (span_unit(project.data) or NUMBER).name
    spans = list(dict.fromkeys(file.span for file in read))
    return Manifest(fingerprint, columns, rows, spans, read, splitter.definition, unit, dropped)


def _conversions(project: Project, aside: _Aside) -> list[Any]:
    """Return what makes other examples of the same files and types; empty where every cell is what it was in the file."""
    named = {name: column.model_dump() for name, column in project.data.columns.items()}
    cells = [aside.odd.to_json(), aside.missing.to_json()]
    return [named, project.data.odd_cells, cells] if named or any(cells) else []


def _outcome(manifest: Manifest, checks: list[Check], aside: _Aside, written: str) -> Outcome:
    rows = sum(manifest.rows.values())
    files = f"{len(manifest.files)} files" if len(manifest.files) > 1 else "1 file"
    spans = f"{len(manifest.spans)} spans" if len(manifest.spans) > 1 else files
    skipped = [f"{aside.blank} empty lines skipped"] if aside.blank else []
    skipped += filter(None, [describe_dropped(manifest.dropped)])
    warned = [check.reason for check in checks if check.status == "warn"]
    reason = "; ".join(
        [f"{rows:,} rows, {len(manifest.columns)} columns, {spans}", *filter(None, [written]), *skipped, *warned]
    )
    counts = {f"rows_{split}": float(count) for split, count in manifest.rows.items()}
    counts |= {"dropped": float(sum(manifest.dropped.values()))} if manifest.dropped else {}
    return judge(checks, reason, {"rows": float(rows), **counts, "quarantined": float(aside.count.rows)})
