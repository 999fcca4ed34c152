"""Ingest a source: infer its schema, assign its rows to splits span by span, and record exactly what was read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from components._core.checks import Check, Outcome, judge
from components._core.examples.artifact import SPLITS, Manifest, SourceFile
from components._core.examples.safe_parquet import pq
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.types.artifact_files import QUARANTINE
from components._core.types.span_units import NUMBER
from components._data.formats.contract import Format
from components._data.formats.registry import open_format
from components._data.joins.table_joins import TableJoins
from components._data.rules.row_rules import RowFilter, describe_dropped
from components._data.sources.registry import open_source, span_unit
from components.ingest.date_checks import check_orders
from components.ingest.join_checks import check_joins, describe_joins, judge_joins, list_joined
from components.ingest.kept_spans.reuse import SpanReuse
from components.ingest.label_origins import read_label_origin
from components.ingest.named_columns import check_named_columns
from components.ingest.outcome_checks import check_cells, check_splits
from components.ingest.pinned_dataset import check_pin
from components.ingest.row_checks import check_dropped, check_other_rows, check_readable, judge_rows
from components.ingest.span_checks import check_missing_spans, check_spans
from components.ingest.span_reader import Aside, SpanReader
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
    data = project.data
    source = open_source(data.source, data.missing_spans, data.sql)
    files = source.list_files(data.spans)
    table = open_format(data, files[0])
    with SpanReuse.opened(project, source, files) as reuse, Aside(quarantine / QUARANTINE) as aside:
        table.use_notes(reuse.notes)
        schema = table.infer_schema(files, project.label)
        joins = TableJoins(data, schema.types, aside.write)
        check_named_columns(project, list(schema.types), list(joins.types))
        rules = RowFilter(data.rows, joins.column_types)
        reuse.begin(table, schema, joins)
        reader = SpanReader(project, table, schema, files, joins, rules, reuse)
        splitter = fit_splitter(data.split, reader.table_to_split())
        read = [ingested for span in reader.spans for ingested in reader.ingest_span(span, splitter, examples, aside)]
        reuse.finish()
    manifest = _manifest(project, table, joins, splitter, examples, read, aside, rules.dropped)
    manifest = replace(manifest, labels=read_label_origin(project, files))
    pinned = check_pin(project, manifest)
    judge_rows(project, manifest.files[0].path, sum(manifest.rows.values()), rules, aside.count)
    judge_joins(data, joins)
    checks = [
        check_readable(sum(manifest.rows.values()) + rules.total, aside.count),
        *check_dropped(sum(manifest.rows.values()), rules.dropped),
        *pinned,
        *check_missing_spans(project, manifest.spans),
        *check_other_rows(aside.count),
        *check_cells(aside.odd, aside.missing, sum(manifest.rows.values())),
        *check_orders(data, aside.orders, sum(manifest.rows.values())),
        *check_joins(data, joins),
        *check_spans([(file.span, file.path, file.rows) for file in manifest.files], manifest.unit),
        *splitter.checks(manifest),
        *check_splits(project, manifest, examples),
    ]
    manifest.save(examples)
    return _outcome(manifest, checks, aside, [table.describe(), *describe_joins(joins), reuse.describe()])


def _manifest(
    project: Project,
    table: Format,
    joins: TableJoins,
    splitter: Splitter,
    examples: Path,
    read: list[SourceFile],
    aside: Aside,
    dropped: dict[str, int],
) -> Manifest:
    columns = joins.column_types
    how = json.dumps(
        [
            *(FORMAT, columns, project.label, splitter.definition.fingerprint, table.options),
            *_conversions(project, aside),
            *([project.data.rows.model_dump()] if dropped else []),
            *(joins.definitions and [joins.definitions]),
        ]
    )
    fingerprint = fingerprint_of([how, *(f"{file.span} {file.sha256}" for file in read)])
    rows = {
        split: sum(pq.read_metadata(path).num_rows for path in sorted((examples / split).glob("*.parquet")))
        for split in SPLITS
    }
    unit = (span_unit(project.data) or NUMBER).name
    spans = list(dict.fromkeys(file.span for file in read))
    return Manifest(fingerprint, columns, rows, spans, read, splitter.definition, unit, dropped, list_joined(joins))


def _conversions(project: Project, aside: Aside) -> list[Any]:
    """Return what makes other examples of the same files and types; empty where every cell is what it was in the file."""
    named = {name: column.model_dump() for name, column in project.data.columns.items()}
    cells = [aside.odd.to_json(), aside.missing.to_json()]
    return [named, project.data.odd_cells, cells] if named or any(cells) else []


def _outcome(manifest: Manifest, checks: list[Check], aside: Aside, notes: list[str]) -> Outcome:
    rows = sum(manifest.rows.values())
    files = f"{len(manifest.files)} files" if len(manifest.files) > 1 else "1 file"
    spans = f"{len(manifest.spans)} spans" if len(manifest.spans) > 1 else files
    skipped = [f"{aside.blank} empty lines skipped"] if aside.blank else []
    skipped += filter(None, [describe_dropped(manifest.dropped)])
    warned = [check.reason for check in checks if check.status == "warn"]
    reason = "; ".join(
        [f"{rows:,} rows, {len(manifest.columns)} columns, {spans}", *filter(None, notes), *skipped, *warned]
    )
    counts = {f"rows_{split}": float(count) for split, count in manifest.rows.items()}
    counts |= {"dropped": float(sum(manifest.dropped.values()))} if manifest.dropped else {}
    return judge(checks, reason, {"rows": float(rows), **counts, "quarantined": float(aside.count.rows)})
