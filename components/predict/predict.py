"""Answer the rows of a table with a registered model, and write them with their answers: each row once, however often it is run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from components._core.checks import round_off
from components._core.credentials import mask_credentials
from components._core.errors import ConfigError, DataError, ServiceError
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.request_log.value_hashes import require_hasher
from components._core.store.filesystems import is_local, open_filesystem
from components._core.store.object_store import absolute_uri
from components._core.types.tasks import TASKS
from components._core.types.variant_table import ServedVariant
from components._data.formats.bad_rows import BadRowCount
from components._data.sources.databases.sqlite import SCHEME
from components._data.sources.files import FileSource
from components._data.sources.registry import is_of_files
from components._predictor.predictor import load
from components.predict.batch_log import BatchLog
from components.predict.destinations.contract import Batch, Manifest, Output
from components.predict.destinations.table import open_destination
from components.predict.label_metrics import LabelMetrics, file_name
from components.predict.output_formats import OutputFormat
from components.predict.part_answers import Answerer
from components.predict.parts import Part, cut_parts, part_rows
from components.predict.scoring_table import ScoringTable, fingerprint_table, missing_features, open_table
from components.predict.versions import ModelVersion
from components.predict.work_folder import PartRecord, WorkFolder, count_codes

FORMAT = "2"
"""Increased when the same rows and model would give another output, so that batches differ."""
Progress = Callable[[int, int], None]
"""Called after each part with the numbers of answered and rejected rows so far."""
_DIGITS = 16
_WRITTEN = ("", ".manifest.json", ".rejected.jsonl", "/part-000000.parquet")
"""Endings of what is written for an output, a file or a folder."""


@dataclass(frozen=True)
class Prediction:
    """The result of a batch.

    Attributes:
        manifest: What was predicted by what.
        was_complete: Whether an earlier run had written all of it.
        notes: What a person should know of the table.
    """

    manifest: Manifest
    was_complete: bool
    notes: list[str]


def predict_table(
    project: Project,
    model: ModelVersion,
    output: Output,
    store: str,
    progress: Progress = lambda answered, rejected: None,
) -> Prediction:
    """Answer the rows of the project's source, and write them to the output.

    A killed run is continued by the same call: parts that are complete are not answered again, and the output has the same bytes. When
    the output is there already, nothing is done.

    Args:
        project: The project, with its source as an absolute location.
        model: The version that answers.
        output: Where and how the answers are written.
        store: URI of the store, which keeps the parts of an unfinished batch.
        progress: Called after each part.

    Raises:
        ConfigError: When source and output do not fit together, the output holds something else, or the key of the log's hashes is missing.
        DataError: When the table cannot be read or changes meanwhile, has no rows, or lacks a required feature.
        ModelError: When the model does not load, or fails on many rows.
        ServiceError: When a store or a database fails.
    """
    _require_log_key(project)
    output = replace(output, location=_real_location(output.location))
    destination = open_destination(output)
    predictor = load(model.folder)
    table = open_table(project, predictor.signature)
    _check_apart(table, output.location)
    most_rows = part_rows(len(table.columns) + len(predictor.signature.outputs))
    rows = _identify_rows(project, model, table, most_rows)
    batch = fingerprint_of([rows, project.label, output.prefix, destination.format.name])[:_DIGITS]
    answerer = Answerer(predictor, model.version, rows, output.prefix)
    answerer.check_columns(list(table.columns))
    notes = missing_features(predictor.signature, table.columns)
    work = WorkFolder(_work_uri(store, project, batch, output))
    if manifest := destination.find_complete(batch):
        work.remove()  # the run that wrote the output may have been killed before this
        return Prediction(manifest, True, notes)
    began = work.begin(time.time())
    work.remove_abandoned()
    log = BatchLog.open(project, store, model.version, predictor.signature, rows, began)
    score = f"{output.prefix}{TASKS[predictor.signature.task].score}"
    labels = LabelMetrics(predictor.signature, predictor.threshold, project.label, score)
    records = _answer_parts(_Run(table, most_rows, answerer, labels, destination.format, work, log), progress)
    table.check_unchanged()
    metrics, measured = labels.measure(work, records)
    manifest = {
        "format": FORMAT,
        "batch": batch,
        "project": project.name,
        "version": model.version,
        "model_sha256": model.digest,
        **_name_variant(model.folder),
        "threshold": predictor.threshold,
        "source": mask_credentials(project.data.source),
        "source_state": table.state,
        "columns": [*table.columns, *answerer.added],
        "output_format": destination.format.name,
        "parts": [asdict(record.answers) for record in records if record.answers],
        "rejected_parts": [asdict(record.rejected) for record in records if record.rejected],
        "answered": sum(record.answers.rows for record in records if record.answers),
        "rejected": sum(record.rejected.rows for record in records if record.rejected),
        "rejected_by_code": count_codes(records),
        "labelled": sum(record.labelled for record in records),
        "measured": measured,
        "metrics": {name: round_off(value) if math.isfinite(value) else None for name, value in metrics.items()},
    }
    if log:
        log.publish(work, records)
    try:
        # again, hours later: a file of a person may be there now, or an equal run may have finished first
        if destination.find_complete(batch) is None:
            destination.publish(Batch(work, records, manifest))
    except ServiceError:
        if destination.find_complete(batch) is None:  # else an equal run has finished meanwhile, and removed the parts
            raise
    work.remove()
    return Prediction(manifest, False, [*notes, *table.date_notes()])


def check_answered(prediction: Prediction) -> None:
    """Refuse a batch of which no row was answered; its rejected rows are written.

    Raises:
        DataError: With the reasons.
    """
    manifest = prediction.manifest
    if not manifest["answered"]:
        codes = ", ".join(f"{code} {count:,}" for code, count in manifest["rejected_by_code"].items())
        message = f"no row was answered: {manifest['rejected']:,} rejected ({codes})"
        remedy = "the rejected rows in the output say why, each with its place"
        raise DataError(message, where=manifest["source"], remedy=remedy)


@dataclass(frozen=True)
class _Run:
    """What the parts of a batch are answered with."""

    table: ScoringTable
    most_rows: int
    answerer: Answerer
    labels: LabelMetrics
    format: OutputFormat
    work: WorkFolder
    log: BatchLog | None


def _answer_parts(run: _Run, progress: Progress) -> list[PartRecord]:
    """Answer the parts that are not complete; returns the records of all.

    The whole table is read also where all parts are complete: what its end says of it holds for the output of an earlier, killed run too.
    """
    done, records, aside = run.work.records(), [], BadRowCount()
    answered = rejected = 0
    for part in cut_parts(run.table, run.most_rows, aside):
        record = done.get(part.number) or _answer_part(run, part)
        records.append(record)
        answered += record.answers.rows if record.answers else 0
        rejected += record.rejected.rows if record.rejected else 0
        progress(answered, rejected)
    aside.check_quotes(answered)
    if not records:
        raise DataError("has no rows", where=run.table.files[0].name, remedy="check the export")
    return records


def _answer_part(run: _Run, part: Part) -> PartRecord:
    answers, work, number = run.answerer.answer(part), run.work, part.number
    labelled, content = run.labels.collect(answers.rows)
    if labelled:
        work.put(file_name(number), content)
    kept = rejected = None
    if answers.rows is not None:
        content = run.format.encode(answers.rows)
        kept = work.add_file("part", number, run.format.name, content, answers.rows.num_rows)
    if answers.rejected:
        rejected = work.add_file("rejected", number, "jsonl", answers.rejected_lines(), len(answers.rejected))
    logged = ""
    if run.log and (lines := run.log.lines(answers.requests)):
        logged = f"log-{number:06d}.jsonl"
        work.put(logged, lines)
    record = PartRecord(number, kept, rejected, dict(answers.codes), labelled, logged)
    work.add_record(record)
    return record


def _identify_rows(project: Project, model: ModelVersion, table: ScoringTable, most_rows: int) -> str:
    """Return the identity of rows and model, which the ids of the rows have: equal in every output."""
    settings = [FORMAT, project.name, model.version, model.digest, str(most_rows)]
    return fingerprint_of([*settings, fingerprint_table(table)])[:_DIGITS]


def _name_variant(model: Path) -> dict[str, str]:
    """Return which variant of its model answers, where the project had `serve.optimize`."""
    found = ServedVariant.load(model)
    return {"variant": found.name} if found else {}


def _require_log_key(project: Project) -> None:
    """Refuse a log that hashes values without a key before anything is read or answered."""
    log = project.serve.request_log
    require_hasher(log.hash if log else [])


def _work_uri(store: str, project: Project, batch: str, output: Output) -> str:
    """Return the URI of the work folder; lines for the log that were written with other settings are in another one."""
    log = project.serve.request_log
    settings = repr((log.uri, log.sample, sorted(log.mask))) if log else ""
    if log and log.pictures != "reference":
        settings += repr(log.pictures)
    if hasher := require_hasher(log.hash if log else []):
        settings += repr((sorted(log.hash if log else []), hasher.prefix))
    place = fingerprint_of([absolute_uri(output.location), output.table])[:_DIGITS]
    return f"{store.rstrip('/')}/{project.name}/predictions/{place}/{fingerprint_of([batch, settings])[:_DIGITS]}"


def _real_location(output: str) -> str:
    """Return the location of an output without `..` and links: what is checked must be the file that is written."""
    if not output.strip() or ("://" in output and not output.startswith("file://")):
        return output
    real = os.path.realpath(open_filesystem(output)[1])
    return f"{real}/" if output.endswith("/") else real


def _check_apart(table: ScoringTable, output: str) -> None:
    """Refuse an output that would be a part of the source, or is a SQLite file that is read: writing it would change the source's state."""
    read = [table.data.source, *(join.source for join in table.data.join)]
    if output.startswith(SCHEME) and _sqlite_path(output) in [_sqlite_path(each) for each in read]:
        raise ConfigError("is the database of the source", where="--output", remedy="name another SQLite file")
    if "://" in output and not output.startswith(("file://", "s3://", "gs://")):
        return
    filesystem, path = open_filesystem(output)
    for file in table.files:
        is_here = is_local(filesystem) and is_local(file.filesystem)
        if path == (os.path.realpath(file.path) if is_here else file.path):
            raise ConfigError("is a file of the source", where="--output", remedy="name another output")
    for location in filter(is_of_files, read):
        if any(FileSource(location).would_list(f"{output}{ending}") for ending in _WRITTEN):
            message = f"is among the files of the source {mask_credentials(location)}: the next run would read the answers as rows"
            remedy = "name an output elsewhere, or in a folder whose name begins with _"
            raise ConfigError(message, where="--output", remedy=remedy)


def _sqlite_path(location: str) -> Path | None:
    return Path(location.removeprefix(SCHEME)).resolve() if location.startswith(SCHEME) else None
