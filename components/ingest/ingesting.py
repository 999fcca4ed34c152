"""Ingest a source: survey it, deal its rows to splits span by span, and say exactly what was read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from components._core.artifacts import QUARANTINE
from components._core.checks import Check, Outcome, Status, judge
from components._core.errors import ConfigError, DataError
from components._core.examples import SPLITS, Manifest, SourceFile, split_file
from components._core.files import fingerprint_of
from components._core.hash_split import assign_splits, define_split
from components._core.project import Project
from components._core.split_definition import SplitDefinition
from components._core.suggestions import suggest
from components.ingest.reading import BadRow, Rows, read_rows
from components.ingest.sources import SpanFile, find_files
from components.ingest.survey import Survey, survey_files

FORMAT = "2"
"""Counts up when the same source would give other examples, so that fingerprints then differ."""

_TYPES = {"double": "float32", "float": "float32", "int64": "int64", "string": "string"}


def ingest_examples(project: Project, *, examples: Path, quarantine: Path) -> tuple[Outcome, str]:
    """Read the project's source into the examples artifact.

    Args:
        project: Says where the source is, which spans, and how to split.
        examples: An empty folder; gets one Parquet file per split and span, and the manifest.
        quarantine: An empty folder; gets the unreadable rows as JSON lines.

    Returns:
        The outcome and the examples' fingerprint.

    Raises:
        ConfigError: When the project names what the source does not have.
        DataError: When the source cannot be read, or more rows than `data.quarantine_limit` allows.
    """
    files = find_files(project.data.source, project.data.spans)
    survey = survey_files(files, project.label)
    _check_columns(project, survey)
    hidden = {project.label, *project.data.exclude}
    split = define_split(project.data.split, [name for name in survey.types if name not in hidden])
    with _Quarantine(quarantine / QUARANTINE) as aside:
        read = [_ingest_file(file, survey, project.label, split, examples, aside) for file in files]
    manifest = _manifest(project, survey, split, examples, read)
    _judge_quarantine(project, manifest, aside)
    manifest.save(examples)
    return _outcome(manifest, aside), manifest.fingerprint


def _check_columns(project: Project, survey: Survey) -> None:
    known = list(survey.types)
    named = {
        "data.exclude": project.data.exclude,
        "data.split.by": project.data.split.by,
        "gates.model.slices": project.gates.model.slices,
    }
    for place, names in named.items():
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"there is no column {name!r}; {suggest(name, known)}", where=place, remedy="correct project.yaml"
                )


@dataclass
class _Quarantine:
    """Rows set aside, written as they come."""

    path: Path
    rows: int = 0
    first: BadRow | None = None
    by_file: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> _Quarantine:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: BadRow) -> None:
        self.rows += 1
        self.first = self.first or row
        self.by_file[row.file] = self.by_file.get(row.file, 0) + 1
        self._file.write(json.dumps(row.to_dict(), ensure_ascii=False, sort_keys=True) + "\n")


def _ingest_file(
    file: SpanFile, survey: Survey, label: str, split: SplitDefinition, examples: Path, aside: _Quarantine
) -> SourceFile:
    writers: dict[str, pq.ParquetWriter] = {}
    count = 0
    try:
        for rows in read_rows(file, survey, label, aside.add, split.columns):
            _write_rows(rows, file.span, split, examples, writers)
            count += rows.examples.num_rows
    finally:
        for writer in writers.values():
            writer.close()
    size, sha256 = _weigh(file)
    return SourceFile(file.name, file.span, count, aside.by_file.get(file.name, 0), size, sha256)


def _write_rows(
    rows: Rows, span: int, definition: SplitDefinition, examples: Path, writers: dict[str, pq.ParquetWriter]
) -> None:
    numbers = assign_splits(rows.cells, definition)
    for number, split in enumerate(SPLITS):
        part = rows.examples.filter(pa.array(numbers == number))
        if not part.num_rows:
            continue
        if split not in writers:
            path = split_file(examples, split, span)
            path.parent.mkdir(exist_ok=True)
            writers[split] = pq.ParquetWriter(path, part.schema, compression="snappy")
        writers[split].write_table(pa.Table.from_batches([part]))


def _weigh(file: SpanFile) -> tuple[int, str]:
    import hashlib

    digest, size = hashlib.sha256(), 0
    with file.filesystem.open(file.path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _manifest(
    project: Project, survey: Survey, split: SplitDefinition, examples: Path, read: list[SourceFile]
) -> Manifest:
    columns = {name: _TYPES[str(kind)] for name, kind in survey.types.items()}
    how = json.dumps([FORMAT, columns, project.label, split.fingerprint])
    fingerprint = fingerprint_of([how, *(f"{file.span} {file.sha256}" for file in read)])
    rows = {
        split: sum(pq.read_metadata(path).num_rows for path in sorted((examples / split).glob("*.parquet")))
        for split in SPLITS
    }
    return Manifest(fingerprint, columns, rows, [file.span for file in read], read, split)


def _judge_quarantine(project: Project, manifest: Manifest, aside: _Quarantine) -> None:
    kept = sum(manifest.rows.values())
    if not kept and not aside.rows:
        raise DataError(
            "has a header and no rows",
            where=manifest.files[0].path,
            remedy="nothing can be learned from it; check the export",
        )
    share = aside.rows / (kept + aside.rows)
    if share > project.data.quarantine_limit and aside.first is not None:
        first = aside.first
        told = f"{aside.rows} of {kept + aside.rows} rows cannot be read ({share:.2%}; allowed {project.data.quarantine_limit:.2%}); the first: {first.reason}"
        raise DataError(
            told,
            where=f"{first.file}, line {first.line}",
            remedy="correct the rows, or allow a share of them with data.quarantine_limit",
        )


def _outcome(manifest: Manifest, aside: _Quarantine) -> Outcome:
    rows = sum(manifest.rows.values())
    status: Status = "warn" if aside.rows else "pass"
    told = (
        f"{aside.rows} rows set aside; the first: {aside.first.file}, line {aside.first.line}: {aside.first.reason}"
        if aside.first
        else ""
    )
    checks = [Check("readable rows", status, float(aside.rows), 0.0, n=rows + aside.rows, reason=told)]
    spans = f"{len(manifest.files)} spans" if len(manifest.files) > 1 else "1 file"
    reason = f"{rows:,} rows, {len(manifest.columns)} columns, {spans}" + (f"; {told}" if told else "")
    counts = {f"rows_{split}": float(count) for split, count in manifest.rows.items()}
    return judge(checks, reason, {"rows": float(rows), **counts, "quarantined": float(aside.rows)})
