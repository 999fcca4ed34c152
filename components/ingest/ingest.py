"""Ingest a source: infer its schema, assign its rows to splits span by span, and record exactly what was read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

from components._core.checks import Check, Outcome, Status, judge
from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest, SourceFile
from components._core.examples.safe_parquet import pq
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.types.artifact_files import QUARANTINE
from components._core.types.column_types import type_of_arrow
from components._core.types.span_units import NUMBER
from components._data.columns.cell_counts import CellCounts
from components._data.formats.bad_rows import BadRow, BadRowCount, quote_remedy
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally, Rows
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source, span_unit
from components.ingest.kept_spans.entry import FileRead
from components.ingest.kept_spans.reuse import SpanReuse
from components.ingest.named_columns import check_named_columns
from components.ingest.outcome_checks import check_cells, check_splits
from components.ingest.span_checks import check_missing_spans, check_spans
from components.ingest.span_writer import SpanWriter
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
    source = open_source(data.source, data.missing_spans, data.sql)
    files = source.list_files(data.spans)
    table = open_format(data, files[0])
    with SpanReuse.opened(project, source, files) as reuse, _Aside(quarantine / QUARANTINE) as aside:
        table.use_notes(reuse.notes)
        schema = table.infer_schema(files, project.label)
        check_named_columns(project, list(schema.types))
        reuse.begin(table, schema)
        reader = _Reader(project, table, schema, files, reuse)
        splitter = fit_splitter(data.split, reader.table_to_split())
        read = [ingested for span in reader.spans for ingested in reader.ingest_span(span, splitter, examples, aside)]
        reuse.finish()
    manifest = _manifest(project, table, schema, splitter, examples, read, aside)
    _judge_quarantine(project, manifest, aside.count)
    checks = [
        _check_rows(manifest, aside.count),
        *check_missing_spans(project, manifest),
        *_check_other_rows(aside.count),
        *check_cells(aside.odd, aside.missing, sum(manifest.rows.values())),
        *check_spans(manifest),
        *splitter.checks(manifest),
        *check_splits(project, manifest, examples),
    ]
    manifest.save(examples)
    return _outcome(manifest, checks, aside, [table.describe(), reuse.describe()])


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

    def take(self, read: FileRead) -> None:
        """Add what was counted in a file."""
        self.blank += read.blank
        self.odd.merge(read.odd)
        self.missing.merge(read.missing)


@dataclass(frozen=True)
class _Reader:
    """Reads the spans of a table, or takes those that are kept."""

    project: Project
    table: Format
    schema: TableSchema
    files: list[SpanFile]
    reuse: SpanReuse

    @property
    def spans(self) -> dict[int, list[SpanFile]]:
        """The files of each span, in order."""
        return {span: list(of_span) for span, of_span in groupby(self.files, lambda file: file.span)}

    def table_to_split(self) -> Table:
        """Describe the table for a splitter."""
        hidden = {self.project.label, *self.project.data.exclude}
        features = [name for name in self.schema.types if name not in hidden]
        names = frozenset(file.split for file in self.files if file.split)
        return Table(features, self.project.label, self._read_all, names)

    def ingest_span(self, span: int, splitter: Splitter, examples: Path, aside: _Aside) -> list[SourceFile]:
        """Write a span into one file for each split, and return what its files are."""
        kept = self.reuse.place(span, splitter, examples)
        if kept is None:
            read = self._read_span(span, splitter, examples, aside)
        else:
            read = kept.files
            for row in kept.rejects():
                aside.add(row)
        for file in read:
            aside.take(file)
        return [file.file for file in read]

    def _read_all(self, cells: Collection[str]) -> Iterator[Rows]:
        """Read all rows that will become examples; rows set aside are reported in the final pass only."""
        split = self.project.data.split
        columns = list(dict.fromkeys([*filter(None, [split.time_column]), *split.by]))
        for span, files in self.spans.items():
            kept = self.reuse.read_for_split(span, cells, columns)
            if kept is not None:
                yield from kept
                continue
            for file in files:
                yield from self.table.read_rows(file, self.schema, self.project.label, lambda row: None, cells)

    def _read_span(self, span: int, splitter: Splitter, examples: Path, aside: _Aside) -> list[FileRead]:
        """Read all files of a span."""
        read = []
        with self.reuse.recording(span, splitter, examples) as recording:

            def reject(row: BadRow) -> None:
                aside.add(row)
                if recording:
                    recording.reject(row)

            with SpanWriter(examples, span) as writer:
                for file in self.spans[span]:
                    count, tally = 0, FileTally()
                    for rows in self.table.read_rows(
                        file, self.schema, self.project.label, reject, splitter.cells, tally
                    ):
                        numbers = splitter.assign(rows, file.split)
                        writer.write(rows.examples, numbers)
                        if recording:
                            recording.assign(numbers)
                        count += rows.examples.num_rows
                    quarantined = aside.by_file.get(file.name, 0)
                    whole = SourceFile(file.name, span, count, quarantined, tally.bytes, tally.sha256.hexdigest())
                    read.append(FileRead(whole, tally.blank, tally.odd, tally.missing))
            if recording:
                recording.files = read
        return read


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
    unit = (span_unit(project.data) or NUMBER).name
    spans = list(dict.fromkeys(file.span for file in read))
    return Manifest(fingerprint, columns, rows, spans, read, splitter.definition, unit)


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


def _check_other_rows(aside: BadRowCount) -> list[Check]:
    """Report rows that are no data, such as a repeated header: they count in no limit."""
    checks = []
    for reason, count in aside.others.items():
        rows = "1 row is" if count == 1 else f"{count:,} rows are"
        message = f"{rows} no data, and set aside: {aside.first_others[reason].place}: {reason}"
        checks.append(Check("rows that are no data", "warn", float(count), 0.0, reason=message))
    return checks


def _outcome(manifest: Manifest, checks: list[Check], aside: _Aside, notes: list[str]) -> Outcome:
    rows = sum(manifest.rows.values())
    files = f"{len(manifest.files)} files" if len(manifest.files) > 1 else "1 file"
    spans = f"{len(manifest.spans)} spans" if len(manifest.spans) > 1 else files
    skipped = [f"{aside.blank} empty lines skipped"] if aside.blank else []
    warned = [check.reason for check in checks if check.status == "warn"]
    reason = "; ".join(
        [f"{rows:,} rows, {len(manifest.columns)} columns, {spans}", *filter(None, notes), *skipped, *warned]
    )
    counts = {f"rows_{split}": float(count) for split, count in manifest.rows.items()}
    return judge(checks, reason, {"rows": float(rows), **counts, "quarantined": float(aside.count.rows)})
