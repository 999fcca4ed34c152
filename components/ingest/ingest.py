"""Ingest a source: infer its schema, assign its rows to splits span by span, and record exactly what was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from components._core.checks import Check, Outcome, Status, judge
from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest, SourceFile, split_file
from components._core.examples.safe_parquet import pq
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.types.artifact_files import QUARANTINE
from components._core.types.column_types import type_of_arrow
from components._data.columns.cell_counts import CellCounts
from components._data.formats.bad_rows import BadRow, BadRowCount, quote_remedy
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally, Rows
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source
from components.ingest.named_columns import check_named_columns
from components.ingest.outcome_checks import check_cells, check_spans, check_splits
from components.ingest.splits.contract import Splitter
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
    table = open_format(project.data)
    files = open_source(project.data.source).list_files(project.data.spans)
    schema = table.infer_schema(files, project.label)
    check_named_columns(project, list(schema.types))
    hidden = {project.label, *project.data.exclude}
    features = [name for name in schema.types if name not in hidden]
    splitter = fit_splitter(project.data.split, features, lambda: _read_all(table, files, schema, project.label))
    with _Aside(quarantine / QUARANTINE) as aside:
        read = [_ingest_file(table, file, schema, project.label, splitter, examples, aside) for file in files]
    manifest = _manifest(project, table, schema, splitter, examples, read, aside)
    _judge_quarantine(project, manifest, aside.count)
    checks = [
        _check_rows(manifest, aside.count),
        *check_cells(aside.odd, aside.missing, sum(manifest.rows.values())),
        *check_spans(manifest),
        *splitter.checks(manifest),
        *check_splits(project, manifest, examples),
    ]
    manifest.save(examples)
    return _outcome(manifest, checks, aside.count, aside.blank)


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


def _read_all(table: Format, files: list[SpanFile], schema: TableSchema, label: str) -> Iterator[Rows]:
    """Read all rows that will become examples; rows set aside are reported in the final pass only."""
    for file in files:
        yield from table.read_rows(file, schema, label, lambda row: None)


def _ingest_file(
    table: Format,
    file: SpanFile,
    schema: TableSchema,
    label: str,
    splitter: Splitter,
    examples: Path,
    aside: _Aside,
) -> SourceFile:
    writers: dict[str, pq.ParquetWriter] = {}
    count, tally = 0, FileTally()
    try:
        for rows in table.read_rows(file, schema, label, aside.add, splitter.cells, tally):
            _write_rows(rows, file.span, splitter, examples, writers)
            count += rows.examples.num_rows
    finally:
        for writer in writers.values():
            writer.close()
    aside.blank += tally.blank
    aside.odd.merge(tally.odd)
    aside.missing.merge(tally.missing)
    quarantined = aside.by_file.get(file.name, 0)
    return SourceFile(file.name, file.span, count, quarantined, tally.bytes, tally.sha256.hexdigest())


def _write_rows(
    rows: Rows, span: int, splitter: Splitter, examples: Path, writers: dict[str, pq.ParquetWriter]
) -> None:
    numbers = splitter.assign(rows)
    for number, split in enumerate(SPLITS):
        part = rows.examples.filter(pa.array(numbers == number))
        if not part.num_rows:
            continue
        if split not in writers:
            path = split_file(examples, split, span)
            path.parent.mkdir(exist_ok=True)
            # format 2.6: an older one has no nanoseconds
            writers[split] = pq.ParquetWriter(path, part.schema, compression="snappy", version="2.6")
        writers[split].write_table(pa.Table.from_batches([part]))


def _manifest(
    project: Project,
    table: Format,
    schema: TableSchema,
    splitter: Splitter,
    examples: Path,
    read: list[SourceFile],
    aside: _Aside,
) -> Manifest:
    columns = {name: type_of_arrow(kind, name).name for name, kind in schema.types.items()}
    how = json.dumps(
        [
            *(FORMAT, columns, project.label, splitter.definition.fingerprint, table.options),
            *_conversions(project, aside),
        ]
    )
    fingerprint = fingerprint_of([how, *(f"{file.span} {file.sha256}" for file in read)])
    rows = {
        split: sum(pq.read_metadata(path).num_rows for path in sorted((examples / split).glob("*.parquet")))
        for split in SPLITS
    }
    return Manifest(fingerprint, columns, rows, [file.span for file in read], read, splitter.definition)


def _conversions(project: Project, aside: _Aside) -> list[Any]:
    """Return what makes other examples of the same files and types; empty where every cell is what it was in the file."""
    named = {name: column.model_dump() for name, column in project.data.columns.items()}
    cells = [aside.odd.to_json(), aside.missing.to_json()]
    return [named, project.data.odd_cells, cells] if named or any(cells) else []


def _judge_quarantine(project: Project, manifest: Manifest, aside: BadRowCount) -> None:
    kept = sum(manifest.rows.values())
    if not kept and not aside.rows:
        raise DataError(
            "has a header and no rows",
            where=manifest.files[0].path,
            remedy="nothing can be learned from it; check the export",
        )
    aside.check_quotes(kept)
    share = aside.rows / (kept + aside.rows)
    if share > project.data.quarantine_limit and aside.first is not None:
        first = aside.first
        message = f"{aside.rows} of {kept + aside.rows} rows cannot be read ({share:.2%}; allowed {project.data.quarantine_limit:.2%}); the first: {first.reason}"
        remedy = "correct the rows, or allow a share of them with data.quarantine_limit"
        raise DataError(
            message,
            where=first.place,
            remedy=f"{quote_remedy(first.text)}; or {remedy}" if first.is_quote else remedy,
        )


def _check_rows(manifest: Manifest, aside: BadRowCount) -> Check:
    rows = sum(manifest.rows.values())
    status: Status = "warn" if aside.rows else "pass"
    return Check(
        "readable rows", status, float(aside.rows), 0.0, n=rows + aside.rows, reason=_quarantine_message(aside)
    )


def _quarantine_message(aside: BadRowCount) -> str:
    if aside.first is None:
        return ""
    by_quotes = f" ({aside.quote_rows} of them by quote errors)" if aside.quote_rows else ""
    first = aside.first
    return f"{aside.rows} rows set aside{by_quotes}; the first: {first.place}: {first.reason}"


def _outcome(manifest: Manifest, checks: list[Check], aside: BadRowCount, blank: int) -> Outcome:
    rows = sum(manifest.rows.values())
    spans = f"{len(manifest.files)} spans" if len(manifest.files) > 1 else "1 file"
    skipped = [f"{blank} empty lines skipped"] if blank else []
    warned = [check.reason for check in checks if check.status == "warn"]
    reason = "; ".join([f"{rows:,} rows, {len(manifest.columns)} columns, {spans}", *skipped, *warned])
    counts = {f"rows_{split}": float(count) for split, count in manifest.rows.items()}
    return judge(checks, reason, {"rows": float(rows), **counts, "quarantined": float(aside.rows)})
