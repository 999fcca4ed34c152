"""Join the request log with labels, and write the next span.

1. List the closed hours of the log, and the files of the labels; what an earlier span read is left out.
2. Partition answers, labels and done keys into hash buckets on disk.
3. Join bucket by bucket, writing rows, state and quarantine to local files.
4. Upload them under names with their hashes; commit the manifest; publish the rows.

Nothing is kept of a join whose rows are too few for a span: the next one reads the same again, and more.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import DataError
from components._core.examples.safe_parquet import pq
from components._core.request_log.hours import SETTLE_SECONDS, LogObject, list_closed_hours, list_objects
from components._core.request_log.layout import HOUR_SECONDS, hour_folder, hour_of
from components._feedback.answers import AnswerCounts, check_masks, features_of, read_answers
from components._feedback.bucket_join import BucketResult, Moments, join_bucket
from components._feedback.buckets import Buckets, count_buckets
from components._feedback.columns import answers_schema, done_schema, labels_schema, numbers
from components._feedback.coverage import Coverage, why_not_final
from components._feedback.join_output import QUARANTINE, JoinOutput
from components._feedback.labels import LabelCounts, LabelFile, cast_or_null, list_new_files, read_labels, size_of
from components._feedback.scored_rows import SCORED
from components._feedback.settings import POSTED, FeedbackSettings
from components._feedback.span_store import SpanStore

TEMPORARY = "naru-feedback-"
"""Prefix of the name of a join's temporary folder."""
_FEWEST = 20
"""Labels from which on too many without an answer say that `id` names a wrong column; fewer may be chance."""
_STATE = ("open", "done", "pending", "watermark")
_WATERMARK = pa.schema([("kind", pa.string()), ("name", pa.string()), ("state", pa.string())])
_LISTED_AGAIN = timedelta(days=7)
"""How long after an hour was read its folder is listed for objects that came late. A server tries for minutes, and a laptop may sleep."""
_JSON_BYTES = 0.5
"""Bytes in memory of a byte of the log."""
_PARQUET_BYTES = 4.0
"""Bytes in memory of a byte of a Parquet file of state or labels."""


@dataclass
class FeedbackReport:
    """What a join found.

    Attributes:
        counts: Rows by what became of them: see `bucket_join.py`, and `late`.
        answers: Counts of the log that was read.
        labels: Counts of the labels that were read.
        objects: Objects of the log that were read.
        files: Files with labels that were read.
        open: Answers that wait for a label.
        coverage: Answered, labelled and closed rows by decile of the score, of days older than `feedback.wait` (int64 [3, 10]).
        after_answer: Share of the labels with a time that became known after the answer, which may have shaped them.
        not_final: Why the labels are no fair sample of the answers; empty: they are.
        rows: Labelled rows, corrections included.
        span: Number of the span that was written; None: none was.
        uri: Where its rows are.
        is_overtaken: Whether another writer wrote the span meanwhile.
    """

    counts: Counter[str] = field(default_factory=Counter)
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    labels: LabelCounts = field(default_factory=LabelCounts)
    objects: int = 0
    files: int = 0
    open: int = 0
    coverage: Any = None
    after_answer: float | None = None
    not_final: str = ""
    rows: int = 0
    span: int | None = None
    uri: str = ""
    is_overtaken: bool = False


def make_span(
    settings: FeedbackSettings, now: datetime, folder: Path | None = None, *, write: bool = True
) -> FeedbackReport:
    """Join the log with the labels, and write a span when `feedback.min_rows` rows have a label.

    Args:
        settings: Where log and labels are, and what the rows look like.
        now: The present, with a time zone.
        folder: Where temporary files go; some gigabytes for ten million requests. None: the system's folder for them.
        write: Whether a span is written; otherwise what was found is only returned.

    Raises:
        ConfigError: When the settings do not fit the labels or the log, or a feature that the model uses is masked.
        DataError: When the labels cannot be read, or too many have an id that the log does not have.
        ServiceError: When the store's files are damaged.
        UnavailableError: When the store does not answer.
    """
    work = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
    try:
        return _Join(settings, now, work).run(write=write)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Join:
    """One join; `run` is called once."""

    def __init__(self, settings: FeedbackSettings, now: datetime, work: Path) -> None:
        self._settings, self._now, self._work = settings, now, work
        self._store = SpanStore(settings.home, settings.spans)
        self._report = FeedbackReport()
        self._before = self._store.last()
        self._number = max(self._before["number"] + 1 if self._before else 1, settings.config.first_span)
        began = self._before["log"].get("start") if self._before else None  # an earlier Naru did not keep it
        self._start = datetime.fromisoformat(began) if began else now - settings.keep
        self._state: dict[str, Path] = {}
        self._coverage = Coverage.from_json(self._before["coverage"]) if self._before else Coverage()

    def run(self, *, write: bool) -> FeedbackReport:
        if self._before:
            if write:
                self._store.publish(self._before, self._work)
            self._state = {name: self._store.fetch(self._before["state"][name], self._work) for name in _STATE}
        known = self._read_watermark()
        # before the closed hours are listed: what is logged meanwhile is not in it
        self._read_until = self._find_read_until()
        objects = self._list_objects(known["log"])
        files = list_new_files(self._settings, known["label"], self._now)
        self._report.objects, self._report.files = len(objects), len(files)
        names = sorted({*known["label"], *(each.file.name for each in files)})
        tables, count = self._partition(objects, files, names, sorted(known["label"]))
        check_masks(self._settings, self._report.answers)
        unfit = self._report.answers.unfit | set(self._before["unfit"] if self._before else ())
        self._unfit = sorted(unfit)
        self._coverage.set_edges(_concatenated(self._report.answers.scores))
        out = JoinOutput(self._settings, self._work / "out", self._number, unfit)
        with out:
            self._join_buckets(tables, count, out)
            self._add_corrections(out)
        self._finish(out)
        if write and self._report.rows >= self._settings.config.min_rows:
            self._write(out, known, objects, files)
        return self._report

    def _read_watermark(self) -> dict[str, dict[str, str]]:
        """Return the state by name of the log's objects and of the labels' files that were read."""
        known: dict[str, dict[str, str]] = {"log": {}, "label": {}}
        if "watermark" in self._state:
            for row in pq.read_table(self._state["watermark"]).to_pylist():
                known[row["kind"]][row["name"]] = row["state"]
        return known

    def _list_objects(self, known: dict[str, str]) -> list[LogObject]:
        since = self._start
        if self._before:  # also when that is longer ago than feedback.keep: nothing else reads those hours
            since = _listed_from(datetime.fromisoformat(self._before["log"]["until"]), known)
        hours = list_closed_hours(self._settings.log, self._now, since=since)
        found = [each for hour in hours for each in list_objects(self._settings.log, hour)]
        return [each for each in found if each.name not in known]

    def _partition(
        self, objects: list[LogObject], files: list[LabelFile], names: list[str], old_names: list[str]
    ) -> tuple[dict[str, Buckets], int]:
        """Partition the three tables of the join by id."""
        settings, order = self._settings, {name: place for place, name in enumerate(names)}
        moved = np.array([order[name] for name in old_names] + [-1], np.int32)  # the last one is for -1
        schemas = {
            "answers": answers_schema(features_of(settings), by_class=settings.by_class),
            "labels": labels_schema(settings.label_type),
            "done": done_schema(settings.label_type),
        }
        count = count_buckets(self._estimate_bytes(objects, files))
        tables = {name: Buckets(self._work / name, schema, count) for name, schema in schemas.items()}
        with tables["answers"] as answers:
            for batch in self._read_state("open", schemas["answers"]):
                answers.add(batch)
            for batch in read_answers(settings, objects, self._report.answers):
                answers.add(batch)
        with tables["labels"] as labels:
            for batch in self._read_state("pending", schemas["labels"]):
                labels.add(_renumbered(batch, moved))
            for batch in read_labels(settings, files, order, self._now, self._report.labels):
                labels.add(batch)
        with tables["done"] as done:
            for batch in self._read_state("done", schemas["done"]):
                done.add(_renumbered(batch, moved))
        return tables, count

    def _estimate_bytes(self, objects: list[LogObject], files: list[LabelFile]) -> int:
        log = sum(each.size for each in objects)
        labels = sum(size_of(each.file) for each in files)
        state = sum(path.stat().st_size for name, path in self._state.items() if name != "watermark")
        return int(log * _JSON_BYTES + (labels + state) * _PARQUET_BYTES)

    def _read_state(self, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file of state; a feature that it does not have is missing, as the model was another one.

        A value that its present type does not hold is missing too, and counted: the model, or the project, changed the type.
        """
        if name not in self._state:
            return
        for batch in pq.ParquetFile(self._state[name]).iter_batches(batch_size=65_536):
            have = {field.name for field in batch.schema}
            arrays = [
                cast_or_null(batch[field.name], field.type)
                if field.name in have
                else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            found = pa.RecordBatch.from_arrays(arrays, schema=schema)
            self._report.counts["retyped"] += sum(
                found[each].null_count - batch[each].null_count for each in schema.names if each in have
            )
            if name == "pending" and found["label"].null_count > batch["label"].null_count:
                # a label that became missing would close its row
                found = found.filter(pc.or_(found["label"].is_valid(), batch["label"].is_null()))
            yield found

    def _join_buckets(self, tables: dict[str, Buckets], count: int, out: JoinOutput) -> None:
        shares = self._report.answers.shares
        share = min([*shares, *([self._before["log"]["share"]] if self._before else [])], default=1.0)
        self._share = share
        moments = Moments(
            read_until=_microseconds(self._read_until),
            expired=_microseconds(self._now - self._settings.keep),
            share=share,
            judged_from=_microseconds(self._start + self._settings.wait),
            listed_from=_microseconds(self._read_until - _LISTED_AGAIN),
        )
        for bucket in range(count):
            answers, labels, done = (tables[name].read(bucket) for name in ("answers", "labels", "done"))
            result = join_bucket(answers, labels, done, moments)
            self._report.counts.update(result.counts)
            self._count_coverage(result)
            out.add(result)

    def _find_read_until(self) -> datetime:
        """Return the time before which all answers are in the log that was read, as far as they were logged.

        That is the end of the last closed hour; when nothing was logged after it, the present less the time that a server may need to log.
        """
        settled = self._now - timedelta(seconds=SETTLE_SECONDS)
        seconds = settled.timestamp()
        closed = datetime.fromtimestamp(seconds - seconds % HOUR_SECONDS, self._now.tzinfo)
        later = [closed + timedelta(hours=hours) for hours in range(2)]
        return closed if any(list_objects(self._settings.log, hour) for hour in later) else settled

    def _count_coverage(self, result: BucketResult) -> None:
        names = result.open.schema.names
        for rows, what in ((result.labelled, 1), (result.newly_closed, 2)):
            self._coverage.add(rows, what)
        for rows in (result.labelled.select(names), result.newly_closed.select(names), result.open, result.expired):
            self._coverage.add(rows.filter(pa.array(numbers(rows, "rank") >= 0)), 0)

    def _add_corrections(self, out: JoinOutput) -> None:
        """Add the rows of earlier spans whose label was corrected; of a span that was deleted, the corrections are set aside."""
        for number in out.corrected_spans():
            manifest = self._store.manifest(number)
            rows = self._store.find_rows(manifest, self._work)
            if rows is None:
                lost = out.set_corrections_aside(number)
                self._report.counts.update(corrected=-lost, not_corrected=lost)
                continue
            scored = self._store.fetch(manifest[SCORED]["object"], self._work) if SCORED in manifest else None
            out.add_corrections(number, rows, scored)

    def _finish(self, out: JoinOutput) -> None:
        report = self._report
        report.open, report.rows = out.rows["open"], out.span.rows
        report.counts["late"] = out.span.late
        report.after_answer = out.span.after_answer
        report.coverage = self._coverage.mature(self._now, self._settings.wait)
        report.not_final = why_not_final(report.coverage, self._settings.config.min_coverage)
        self._check_unknown(out)

    def _check_unknown(self, out: JoinOutput) -> None:
        """Refuse labels of which too many have an id that the log does not have."""
        counts, labels = self._report.counts, self._report.labels
        found = counts["joined"] + counts["closed"] + counts["corrected"]
        judged = max(labels.rows - counts["waiting"] - counts["unsampled"] - counts["older"], counts["unknown"])
        limit = self._settings.unknown_limit
        too_many = judged >= _FEWEST and counts["unknown"] > limit * judged
        # before the first span: afterwards the column is right, and labels may well come before their hour is closed
        none_found = (
            self._before is None
            and found == 0
            and counts["waiting"] >= _FEWEST
            and self._report.answers.log.rows > self._report.answers.foreign
            and not counts["superseded"]
        )
        if not too_many and not none_found:
            return
        source = self._settings.config.labels or POSTED
        lost, of = (counts["unknown"], judged) if too_many else (counts["waiting"], labels.rows)
        message = (
            f"{lost:,} of {of:,} labels have an id that no logged answer has ({lost / of:.1%}; allowed "
            f"{limit:.0%})\n  ids in the column {source.id!r}: {_listed(out.lost_ids)}\n  ids in the log: {_listed(out.log_ids)}"
        )
        remedy = (
            "name the column with the answers' ids in feedback.labels.id (and the row's place in feedback.labels.row); "
            "feedback.labels.unknown_limit allows more, and labels of answers older than feedback.keep need a longer one"
        )
        raise DataError(message, where=source.source, remedy=remedy)

    def _write(
        self, out: JoinOutput, known: dict[str, dict[str, str]], objects: list[LogObject], files: list[LabelFile]
    ) -> None:
        self._store.refuse_taken(self._number)
        watermark = self._write_watermark(known, objects, files)
        paths = {**out.paths, "watermark": watermark}
        kept = {name: self._store.keep(path) for name, path in paths.items()}
        manifest = self._manifest(out, kept, objects)
        self._report.span, self._report.uri = self._number, self._store.rows_uri(self._number)
        if not self._store.commit(manifest):
            self._report.is_overtaken = True
            return
        self._store.publish(manifest, self._work)
        if self._before:
            self._store.clean(self._before, manifest)

    def _write_watermark(
        self, known: dict[str, dict[str, str]], objects: list[LogObject], files: list[LabelFile]
    ) -> Path:
        log = known["log"] | {each.name: each.identity for each in objects}
        first = hour_folder((_listed_from(self._read_until, log) - timedelta(hours=2)).timestamp())
        log = {name: state for name, state in log.items() if name >= first}  # older hours are not listed again
        labels = known["label"] | {each.file.name: each.state for each in files}
        rows = [
            (kind, name, states[name]) for kind, states in (("log", log), ("label", labels)) for name in sorted(states)
        ]
        path = self._work / "out" / "watermark.parquet"
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
        pq.write_table(pa.table(columns, schema=_WATERMARK), path)
        return path

    def _manifest(self, out: JoinOutput, kept: dict[str, str], objects: list[LogObject]) -> dict[str, Any]:
        report, config = self._report, self._settings.config
        self._coverage.forget(self._now - self._settings.keep)
        sha256 = kept["rows"].rpartition("-")[2].partition(".")[0]
        answers = report.answers
        return {
            "number": self._number,
            "project": self._settings.project,
            "at": self._now.isoformat(timespec="seconds"),
            "rows": {
                "object": kept["rows"],
                "sha256": sha256,
                "rows": report.rows,
                "bytes": out.paths["rows"].stat().st_size,
            },
            SCORED: {"object": kept[SCORED], "rows": out.scored.rows},
            "state": {name: kept[name] for name in _STATE},
            "quarantine": {name: {"object": kept[name], "rows": out.rows[name]} for name in QUARANTINE},
            "log": {
                "uri": self._settings.log,
                "start": self._start.isoformat(timespec="seconds"),
                "until": self._read_until.isoformat(timespec="seconds"),
                "from": min((each.name for each in objects), default="").rpartition("/")[0],
                "to": max((each.name for each in objects), default="").rpartition("/")[0],
                "objects": len(objects),
                "share": self._share,
            },
            "labels": {
                "source": (config.labels or POSTED).source,
                "files": report.files,
                "bad": dict(report.labels.bad),
            },
            "counts": {name: count for name, count in sorted(report.counts.items()) if count},
            "dropped": dict(answers.log.dropped),
            "refused": {f"{version} {code}": count for (version, code), count in sorted(answers.log.refused.items())},
            "damaged": answers.log.damaged,
            "foreign": answers.foreign,
            "unfit": self._unfit,
            "versions": dict(out.span.versions),
            "shares": {f"{share:g}": rows for share, rows in answers.shares.items()},
            "corrects": {str(number): rows for number, rows in sorted(out.span.corrects.items())},
            "coverage": self._coverage.to_json(),
            "final": not report.not_final,
            "not_final": report.not_final,
        }


def _listed_from(until: datetime, names: Iterable[str]) -> datetime:
    """Return the time from which hours are listed again.

    Args:
        until: Time until which the log was read, by a clock that may have been ahead.
        names: Names of the objects that were read: no hour after the newest was.
    """
    newest = max(names, default="")
    if newest:
        until = min(until, hour_of(newest) + timedelta(hours=1))
    return until - _LISTED_AGAIN


def _listed(ids: list[str]) -> str:
    return ", ".join(repr(text[:80]) for text in ids) or "none"


def _renumbered(batch: pa.RecordBatch, moved: np.ndarray) -> pa.RecordBatch:  # type: ignore[type-arg]
    """Return labels or done keys with the present places of their files."""
    index = batch.schema.get_field_index("object")
    places = pa.array(moved[np.asarray(batch["object"])], pa.int32())
    arrays = [places if place == index else column for place, column in enumerate(batch.columns)]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _concatenated(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.empty(0)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
