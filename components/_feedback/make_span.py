"""Join the request log with labels, and write the next span.

1. List the closed hours of the log, and the files of the labels; what an earlier span read is left out.
2. Partition answers, labels and done keys into hash buckets on disk.
3. Join bucket by bucket, writing rows, state and quarantine to local files.
4. Upload them under names with their hashes; commit the manifest; publish the rows.

Nothing is kept of a join whose rows are too few for a span: the next one reads the same again, and more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.examples.safe_parquet import pq
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import SETTLE_SECONDS, LogObject, list_closed_hours, list_objects
from components._core.request_log.layout import HOUR_SECONDS, hour_folder, hour_of
from components._core.temporary_folders import temporary_folder
from components._feedback.answers import AnswerCounts, check_masks, features_of, read_answers
from components._feedback.bucket_join import BucketResult, Moments, join_bucket
from components._feedback.buckets import Buckets, count_buckets
from components._feedback.columns import NO_TIME, answers_schema, done_schema, labels_schema, numbers
from components._feedback.coverage import Coverage, why_not_final
from components._feedback.feedback_report import FeedbackReport
from components._feedback.join_output import QUARANTINE, JoinOutput
from components._feedback.label_features import carried_features, check_carried
from components._feedback.label_limits import check_bad_labels, check_unknown_ids, find_in, has_found_none, has_too_many
from components._feedback.labels import POSTED_NAMES, LabelFile, list_files, only_new, read_labels, size_of
from components._feedback.scored_rows import SCORED
from components._feedback.settings import FeedbackSettings
from components._feedback.span_store import SpanStore
from components._feedback.typed_values import cast_or_null

TEMPORARY = "naru-feedback-"
"""Prefix of the name of a join's temporary folder."""
_STATE = ("open", "done", "pending", "watermark")
_WATERMARK = pa.schema([("kind", pa.string()), ("name", pa.string()), ("state", pa.string())])
_LISTED_AGAIN = timedelta(days=7)
"""How long after an hour was read its folder is listed for objects that came late. A server tries for minutes, and a laptop may sleep."""
_JSON_BYTES = 0.5
"""Bytes in memory of a byte of the log."""
_PARQUET_BYTES = 4.0
"""Bytes in memory of a byte of a Parquet file of state or labels."""


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
    with temporary_folder(TEMPORARY, folder) as work:
        return _Join(settings, now, work).run(write=write)


class _Bounds:
    """How many buckets there are, and the places of the labels' files by name, now and in the last span.

    Args:
        buckets: Number of buckets.
        known: State by name of the files that were read before.
        files: New files.
    """

    def __init__(self, buckets: int, known: dict[str, str], files: list[LabelFile]) -> None:
        names = sorted({*known, *(each.file.name for each in files)})
        self.buckets = buckets
        self.order = {name: place for place, name in enumerate(names)}
        # the last one is for -1
        self.moved = np.array([self.order[name] for name in sorted(known)] + [-1], np.int32)
        self.posted = np.array([name.startswith(POSTED_NAMES) for name in names], np.bool_)


class _Join:
    """One join; `run` is called once."""

    def __init__(self, settings: FeedbackSettings, now: datetime, work: Path) -> None:
        self._settings, self._now, self._work = settings, now, work
        self._store = SpanStore(settings.home, settings.spans)
        self._report = FeedbackReport(answers=AnswerCounts(LogCounts(settings.project)))
        self._before = self._store.last()
        self._number = max(self._before["number"] + 1 if self._before else 1, settings.config.first_span)
        began = self._before["log"].get("start") if self._before else None  # an earlier Naru did not keep it
        self._start = datetime.fromisoformat(began) if began else now - settings.keep
        self._state: dict[str, Path] = {}
        self._coverage = Coverage.from_json(self._before["coverage"]) if self._before else Coverage()
        self._carried: dict[str, pa.DataType] = {}
        self._open_hours: list[LogObject] = []
        self._open_until = now
        self._waits = NO_TIME

    def run(self, *, write: bool) -> FeedbackReport:
        if self._before:
            if write:
                self._store.publish(self._before, self._work)
            self._state = {name: self._store.fetch(self._before["state"][name], self._work) for name in _STATE}
        known = self._read_watermark()
        # before the closed hours are listed: what is logged meanwhile is not in it
        self._read_until = self._find_read_until()
        objects = self._list_objects(known["log"])
        all_files = list_files(self._settings, known["label"], self._now)
        files = only_new(all_files, known["label"])
        bounds = _Bounds(count_buckets(self._estimate_bytes(objects, files)), known["label"], files)
        answers = self._partition_answers(objects, bounds)
        self._carried = carried_features(self._settings, {*self._report.answers.masked, *self._carried_before()})
        check_masks(self._settings, self._report.answers, self._carried)
        if not self._carried_before() >= self._carried.keys():
            # labels that were read before lack features that they are to carry now
            files = all_files
        labels = self._partition_labels(files, bounds)
        check_bad_labels(self._settings, self._report)
        tables = {"answers": answers, "labels": labels, "done": self._partition_done(bounds)}
        self._report.objects, self._report.files = len(objects), len(files)
        unfit = (
            self._report.answers.unfit | self._report.labels.unfit | set(self._before["unfit"] if self._before else ())
        )
        self._unfit = sorted(unfit)
        self._coverage.set_edges(_concatenated(self._report.answers.scores))
        out = JoinOutput(self._settings, self._work / "out", self._number, unfit, self._carried)
        with out:
            self._join_buckets(tables, bounds, out)
            self._add_corrections(out)
        self._finish(out, bounds)
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

    def _carried_before(self) -> set[str]:
        """Return the features that the labels of the last span carried."""
        return set(self._before.get("carried", ())) if self._before else set()

    def _partition_answers(self, objects: list[LogObject], bounds: _Bounds) -> Buckets:
        settings = self._settings
        schema = answers_schema(features_of(settings), by_class=settings.by_class)
        with Buckets(self._work / "answers", schema, bounds.buckets) as answers:
            for batch in self._read_state("open", schema):
                answers.add(batch)
            for batch in read_answers(settings, objects, self._report.answers):
                answers.add(batch)
        return answers

    def _partition_labels(self, files: list[LabelFile], bounds: _Bounds) -> Buckets:
        schema = labels_schema(self._settings.label_type, self._carried)
        with Buckets(self._work / "labels", schema, bounds.buckets) as labels:
            for batch in self._read_state("pending", schema):
                labels.add(_renumbered(batch, bounds.moved))
            for batch in read_labels(
                self._settings, files, bounds.order, self._now, self._report.labels, self._carried
            ):
                labels.add(batch)
        return labels

    def _partition_done(self, bounds: _Bounds) -> Buckets:
        schema = done_schema(self._settings.label_type)
        with Buckets(self._work / "done", schema, bounds.buckets) as done:
            for batch in self._read_state("done", schema):
                done.add(_renumbered(batch, bounds.moved))
        return done

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

    def _join_buckets(self, tables: dict[str, Buckets], bounds: _Bounds, out: JoinOutput) -> None:
        shares = self._report.answers.shares
        share = min([*shares, *([self._before["log"]["share"]] if self._before else [])], default=1.0)
        self._share = share
        moments = Moments(
            read_until=_microseconds(self._read_until),
            expired=_microseconds(self._now - self._settings.keep),
            share=share,
            by_key=bool(self._settings.labels.key),
            judged_from=_microseconds(self._start + self._settings.wait),
            listed_from=_microseconds(self._read_until - _LISTED_AGAIN),
            posted=bounds.posted,
        )
        for bucket in range(bounds.buckets):
            answers, labels, done = (tables[name].read(bucket) for name in ("answers", "labels", "done"))
            result = join_bucket(answers, labels, done, moments)
            check_carried(self._settings, result.labelled["masked"], self._carried)
            self._report.counts.update(result.counts)
            self._waits = max(self._waits, result.waits)
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
        for hour in later:
            if found := list_objects(self._settings.log, hour):
                self._open_hours += found
                self._open_until = hour + timedelta(hours=1)
        return closed if self._open_hours else settled

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

    def _finish(self, out: JoinOutput, bounds: _Bounds) -> None:
        report = self._report
        report.open, report.rows = out.rows["open"], out.span.rows
        report.counts["late"] = out.span.late
        report.after_answer = out.span.after_answer
        report.coverage = self._coverage.mature(self._now, self._settings.wait)
        report.not_final = why_not_final(report.coverage, self._settings.config.min_coverage)
        report.versions, report.shares = out.span.versions, out.span.shares
        if has_too_many(self._settings, report) and self._open_hours:
            self._count_open(out, bounds)
        examples = (out.lost_ids, out.log_ids)
        report.posted_ids = out.posted_ids
        is_first = self._before is None  # afterwards the column is right
        check_unknown_ids(self._settings, report, examples, is_all_read=is_first and not self._open_hours)
        if report.counts["waiting"]:
            report.waits_until = _end_of_hour(self._waits) + timedelta(seconds=SETTLE_SECONDS)
            report.strangers = examples if is_first and has_found_none(report) else None

    def _count_open(self, out: JoinOutput, bounds: _Bounds) -> None:
        """Count labels as waiting whose answer is in an hour that is still open: a time that is only a day is before that hour."""
        found = find_in(self._open_hours, self._settings, out.paths["unknown_id"], bounds.posted)
        self._report.counts.update(unknown=-found, waiting=found)
        if found:
            self._waits = max(self._waits, _microseconds(self._open_until))

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
        unfinished = self._report.labels.unfinished
        labels = known["label"] | {each.file.name: "" if each.file.name in unfinished else each.state for each in files}
        rows = [
            (kind, name, states[name]) for kind, states in (("log", log), ("label", labels)) for name in sorted(states)
        ]
        path = self._work / "out" / "watermark.parquet"
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
        pq.write_table(pa.table(columns, schema=_WATERMARK), path)
        return path

    def _manifest(self, out: JoinOutput, kept: dict[str, str], objects: list[LogObject]) -> dict[str, Any]:
        report = self._report
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
                "source": self._settings.labels.source,
                "files": report.files,
                "bad": dict(report.labels.bad),
            },
            "counts": {name: count for name, count in sorted(report.counts.items()) if count},
            "dropped": dict(answers.log.dropped),
            "refused": {f"{version} {code}": count for (version, code), count in sorted(answers.log.refused.items())},
            "damaged": answers.log.damaged,
            "foreign": answers.foreign,
            "unfit": self._unfit,
            "carried": sorted(self._carried),
            "versions": dict(out.span.versions),
            "shares": {f"{share:g}": rows for share, rows in sorted(report.shares.items())},
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


def _renumbered(batch: pa.RecordBatch, moved: np.ndarray) -> pa.RecordBatch:  # type: ignore[type-arg]
    """Return labels or done keys with the present places of their files."""
    index = batch.schema.get_field_index("object")
    places = pa.array(moved[np.asarray(batch["object"])], pa.int32())
    arrays = [places if place == index else column for place, column in enumerate(batch.columns)]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _concatenated(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.empty(0)


def _end_of_hour(microseconds: int) -> datetime:
    """Return the end of the hour of a time, in microseconds since 1970; the end of an hour is its own."""
    return datetime.fromtimestamp(-(-microseconds // (HOUR_SECONDS * 1_000_000)) * HOUR_SECONDS, UTC)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
