"""Read the new files with labels: those of the labels' source, and those that servers wrote of labels that were posted to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError, DataError
from components._core.examples.time_split import read_times
from components._core.project.column_config import ColumnReading
from components._core.project.data_config import Data
from components._core.project.feedback_config import Labels
from components._core.request_log.hours import list_closed_hours, list_objects
from components._core.request_log.layout import hour_of
from components._core.store.filesystems import open_filesystem
from components._core.suggestions import listed, suggest
from components._core.types.column_types import to_text
from components._core.types.label_values import UNKNOWN, as_text, class_indices
from components._core.types.tasks import TASKS
from components._data.columns.missing import LABEL_MARKERS, is_any_of
from components._data.formats.bad_rows import BadRow, BadRowCount
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.joins.table_joins import TableJoins
from components._data.key_names import errors_name
from components._data.sources.contract import NoFilesError, SpanFile
from components._data.sources.registry import open_source
from components._feedback.columns import FEATURE, NO_TIME, Mask, labels_schema
from components._feedback.label_features import find_unmatched, label_keys, read_features, readings_of
from components._feedback.settings import POSTED, FeedbackSettings
from components._feedback.typed_values import cast_or_null, fits

_WHERE = "feedback.labels"
_OWN_KEYS = {f"data.{key}": f"{_WHERE}.{key}" for key in ("source", "format", "sql", "join")}
_MOST_CLASSES = 1_000
"""New classes that are counted apart: a wrong column may have one for each label."""
POSTED_NAMES = "posted/"
"""Prefix of the names of files with posted labels, which the labels' source may have too."""
_HOUR, _LISTED_AGAIN = timedelta(hours=1), timedelta(days=7)
"""Hours before the newest that was read are listed again for this time: a server tries until its store answers."""


class NoLabelsError(DataError):
    """The labels' source has no file, as before the first label."""


@dataclass(frozen=True)
class LabelFile:
    """A file with labels.

    Attributes:
        file: The file.
        state: State of its content: a changed file is read again.
        labels: How its labels are written.
    """

    file: SpanFile
    state: str
    labels: Labels


@dataclass
class LabelCounts:
    """What was found in new files.

    Attributes:
        rows: Labels that were read.
        posted: Those of them that were posted to a server.
        bad: Labels that cannot be used, by reason.
        posted_bad: How many of those were posted to a server.
        examples: The first of each reason.
        new_classes: Labels in files of a class that a model of several classes does not have; they are used.
        unfinished: Files with labels whose features are not there yet; they are read again.
        unfit: Carried features with a value that the type of their training column does not hold.
    """

    rows: int = 0
    posted: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    posted_bad: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    new_classes: Counter[str] = field(default_factory=Counter)
    unfinished: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)

    def add_bad(self, reason: str, example: str, count: int = 1, *, posted: bool = False) -> None:
        """Count labels that cannot be used."""
        self.bad[reason] += count
        self.posted_bad += count if posted else 0
        self.examples.setdefault(reason, example)


def only_new(files: Sequence[LabelFile], known: Mapping[str, str]) -> list[LabelFile]:
    """Return the files that are new or changed; one whose state is not known may be.

    Args:
        files: All files.
        known: State by name of the files that were read.
    """
    return [each for each in files if not each.state or known.get(each.file.name) != each.state]


def list_files(settings: FeedbackSettings, known: Mapping[str, str], now: datetime) -> list[LabelFile]:
    """List the files by name: all of the source, and those of posted labels that may be new.

    Args:
        settings: Where they are.
        known: State by name of the files that were read.
        now: The present.

    Raises:
        ConfigError: When the source is invalid, or without permission to read it.
        DataError: When the files cannot be listed as spans, such as two of one span.
        NoLabelsError: When the source has no file. Without a posted label there is no error.
        UnavailableError: When the store of the posted labels does not answer.
    """
    labels = settings.config.labels
    found = [
        *(_list_source(labels) if labels else ()),
        *(_list_posted(settings, known, now) if settings.posted else ()),
    ]
    return sorted(found, key=lambda each: each.file.name)


def _list_source(labels: Labels) -> list[LabelFile]:
    with errors_name(_OWN_KEYS):
        source = open_source(labels.source, "fail", labels.sql)
        try:
            files = source.list_files("all")
        except NoFilesError as error:
            remedy = "correct feedback.labels.source, or write the first labels there"
            raise NoLabelsError(error.message, where=error.where or _WHERE, remedy=remedy) from None
    return [LabelFile(file, source.state(file), labels) for file in files]


def _list_posted(settings: FeedbackSettings, known: Mapping[str, str], now: datetime) -> Iterator[LabelFile]:
    """Yield the files of posted labels, from a week before the newest that was read, or of the time in which answers are kept."""
    newest = max((name for name in known if name.startswith(POSTED_NAMES)), default="").removeprefix(POSTED_NAMES)
    since = (hour_of(newest) if newest else now - settings.keep) - _LISTED_AGAIN
    # an object is written whole, so that the hours need not be closed; clocks of servers may be ahead
    for hour in list_closed_hours(settings.posted, now + 2 * _HOUR, settle_seconds=0.0, since=since):
        for found in list_objects(settings.posted, hour):
            filesystem, path = open_filesystem(found.uri)
            yield LabelFile(SpanFile(1, path, filesystem, POSTED_NAMES + found.name), found.identity, POSTED)


def read_labels(
    settings: FeedbackSettings,
    files: Sequence[LabelFile],
    order: Mapping[str, int],
    now: datetime,
    counts: LabelCounts,
    carried: Mapping[str, pa.DataType],
) -> Iterator[pa.RecordBatch]:
    """Yield the labels of new files, see `columns.labels_schema`.

    Args:
        settings: What the join needs to know.
        files: The files.
        order: Place of each file's name among all by name.
        now: The present: a label without a time, in a file without one, was known by then.
        counts: Counts, to which what is found is added.
        carried: Features that the labels carry, with their types in the log.

    Raises:
        ConfigError: When a column does not exist, or the time is not a date or time.
        DataError: When a file, or a table that is joined to it, cannot be read.
    """
    for written in dict.fromkeys(each.labels.source for each in files):
        alike = [each for each in files if each.labels.source == written]
        found, labels = [each.file for each in alike], alike[0].labels
        with errors_name(_OWN_KEYS), _gone_is_said(labels.source):
            table = _LabelTable.open(settings, labels, found, counts, carried)
            for file in found:
                yield from table.read(file, order[file.name], now)


@contextmanager
def _gone_is_said(source: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        name = str(error.filename or source)
        remedy = "run again: the files are listed again, and nothing was written"
        raise DataError("a file of the labels was removed while they were read", where=name, remedy=remedy) from error


@dataclass(frozen=True)
class _LabelTable:
    """The open labels of files that are written alike.

    Attributes:
        settings: What the join needs to know.
        labels: How they are written.
        counts: Counts, to which what is found is added.
        carried: Features that they carry, with their types in the log.
        format: Format of the files.
        schema: Their columns.
        joins: Tables that are joined to them.
        result: Schema of what is read.
    """

    settings: FeedbackSettings
    labels: Labels
    counts: LabelCounts
    carried: Mapping[str, pa.DataType]
    format: Format
    schema: TableSchema
    joins: TableJoins
    result: pa.Schema

    @classmethod
    def open(
        cls,
        settings: FeedbackSettings,
        labels: Labels,
        files: list[SpanFile],
        counts: LabelCounts,
        carried: Mapping[str, pa.DataType],
    ) -> _LabelTable:
        data = _section(settings, labels, carried)
        named = _named_columns(settings, labels, carried)
        table = open_format(data, files[0])
        own = table.column_names(files[0])
        schema = _strict(table.infer_schema(files, ""), {*named, *_join_keys(data)})
        joins = TableJoins(data, schema.types, lambda row: counts.add_bad("unreadable", f"{row.place}: {row.reason}"))
        _check_columns(named, list(dict.fromkeys([*own, *joins.types])), files[0].name)
        result = labels_schema(settings.label_type, carried)
        return cls(settings, labels, counts, carried, table, schema, joins, result)

    def read(self, file: SpanFile, place: int, now: datetime) -> Iterator[pa.RecordBatch]:
        latest, first = _microseconds(now), 0  # it is read now, so it was known by now, whatever clocks say
        changed = min(_microseconds(_changed(file) or now), latest)

        aside = BadRowCount()

        def reject(row: BadRow) -> None:
            aside.add(row)
            self.counts.add_bad("unreadable", f"{row.place}: {row.reason}", posted=self.labels is POSTED)

        for rows in self.format.read_rows(file, self.schema, "", reject):
            batch = self._to_labels(self.joins.apply(rows, self.joins.start_counts()).examples, file.name)
            seen = pc.if_else(pc.equal(batch["time"], NO_TIME), changed, batch["time"])
            size = batch.num_rows
            added = {
                "object": pa.array(np.full(size, place, np.int32)),
                "place": pa.array(np.arange(first, first + size)),
                "seen": pc.min_element_wise(seen, pa.scalar(latest)),
                "is_judged": pa.array(np.zeros(size, np.bool_)),
            }
            first += size
            self.counts.rows += size
            self.counts.posted += size if self.labels is POSTED else 0
            columns = [added[name] if name in added else batch[name] for name in self.result.names]
            yield pa.RecordBatch.from_arrays(columns, schema=self.result)
        aside.check_quotes(first)

    def _to_labels(self, batch: pa.RecordBatch, file: str) -> pa.RecordBatch:
        settings, labels, size = self.settings, self.labels, batch.num_rows
        ids = label_keys(settings, batch) if labels.key else to_text(batch[labels.id])
        ids = pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)
        rows = cast_or_null(batch[labels.row], pa.int64()) if labels.row else pa.array(np.zeros(size, np.int64))
        values = _without_markers(_nan_to_null(batch[labels.label or settings.label]), settings)
        label = _nan_to_null(cast_or_null(values, settings.label_type))
        times = _times(batch[labels.time], labels.time) if labels.time else pa.nulls(size, pa.int64())
        found = {"id": ids, "row": rows, "label": label, "time": pc.fill_null(times, NO_TIME)}
        place = batch[labels.row] if labels.row else batch[labels.id] if not labels.key else values
        wrong = [
            ("missing_id", np.asarray(ids.is_null(), np.bool_), place),
            ("bad_row", np.asarray(rows.is_null(), np.bool_), place),
            ("bad_label", _is_bad(label, values), values),
            ("unknown_class", self._find_unknown_classes(label), values),
        ]
        if labels.time:
            bad = _is_written(batch[labels.time]) & np.asarray(times.is_null(), np.bool_)
            wrong.append(("bad_time", bad, batch[labels.time]))
        if self.carried:
            unmatched = find_unmatched(self.joins, batch)
            if unmatched.any():
                self.counts.unfinished.add(file)
            wrong.append(("no_features", unmatched, ids))
        for name, features, is_bad, is_needed in read_features(settings, batch, self.carried):
            found[FEATURE + name] = features
            wrong += [("bad_feature", is_bad, batch[name]), ("missing_feature", is_needed, ids)]
            if not fits(features, settings.types.get(name)):
                self.counts.unfit.add(name)
        keep = self._count_wrong(wrong, size, file)
        result = pa.RecordBatch.from_arrays([*found.values()], names=[*found])
        return result if keep.all() else result.filter(pa.array(keep))

    def _find_unknown_classes(self, label: pa.Array) -> Mask:
        """Find the labels that a model of two classes does not have; of more classes, a new one may be right, and is counted."""
        signature = self.settings.signature
        if not signature.classes:
            return np.zeros(len(label), np.bool_)
        is_unknown: Mask = np.asarray(label.is_valid(), np.bool_)
        is_unknown = is_unknown & (class_indices(label, signature.classes) == UNKNOWN)
        if pa.types.is_boolean(label.type):  # a class of training rows that had 0 and 1
            is_unknown = is_unknown & (class_indices(label.cast(pa.int8()), signature.classes) == UNKNOWN)
        if TASKS[signature.task].takes_positive:
            return is_unknown
        if self.labels is POSTED:  # what strangers post must not stop the join
            return np.zeros(len(label), np.bool_)
        for value in as_text(label).filter(pa.array(is_unknown)).to_pylist():
            new = self.counts.new_classes
            new[value if value in new or len(new) < _MOST_CLASSES else "…"] += 1
        return np.zeros(len(label), np.bool_)

    def _count_wrong(self, wrong: Sequence[tuple[str, Mask, pa.Array]], size: int, file: str) -> Mask:
        """Count the labels that cannot be used, each with its first reason; returns which can."""
        keep = np.ones(size, np.bool_)
        for reason, mask, shown in wrong:
            places = np.flatnonzero(mask & keep)
            if len(places):
                example = f"{file}: {shown[int(places[0])].as_py()!r}"[:200]
                self.counts.add_bad(reason, example, len(places), posted=self.labels is POSTED)
            keep &= ~mask
        return keep


def _section(settings: FeedbackSettings, labels: Labels, carried: Mapping[str, pa.DataType]) -> Data:
    text = ColumnReading(type="identifier")  # an id that looks like a number is a text as any other
    columns = {**readings_of(settings, [*carried, *labels.key]), **({} if labels.key else {labels.id: text})}
    if labels is POSTED and TASKS[settings.signature.task].has_classes:
        columns[labels.label] = text  # the text of a class, whatever it looks like
    return Data(source=labels.source, format=labels.format, sql=labels.sql, join=labels.join, columns=columns)


def _named_columns(settings: FeedbackSettings, labels: Labels, carried: Mapping[str, pa.DataType]) -> dict[str, str]:
    """Return the columns that the labels must have, each with the key of project.yaml that names it."""
    by_id = {} if labels.key else {labels.id: "labels.id", labels.row: "labels.row"}
    named = {**by_id, labels.label or settings.label: "labels.label", labels.time: "labels.time"}
    named |= dict.fromkeys(labels.key, "labels.key") | dict.fromkeys(carried, "features")
    return {name: key for name, key in named.items() if name}


def _join_keys(data: Data) -> set[str]:
    return {name for join in data.join for name in (*join.on, join.row_time) if name}


def _check_columns(named: Mapping[str, str], names: Sequence[str], file: str) -> None:
    for name, key in named.items():
        if name not in names:
            message = f"there is no column {name!r} in {file}; {suggest(name, list(names))}"
            raise ConfigError(message, where=f"feedback.{key}", remedy=f"its columns: {listed(list(names))}")


def _strict(schema: TableSchema, used: Collection[str]) -> TableSchema:
    """Return the schema with which a cell that does not fit its column is reported: as a missing label, it would close its row."""
    readings = {
        name: replace(reading, odd_cells="quarantine" if name in used else "missing")
        for name, reading in schema.readings.items()
    }
    unfit = frozenset((file, name) for file, name in schema.unfit if name in used)
    return replace(schema, readings=readings, unfit=unfit)


def _without_markers(column: pa.Array, settings: FeedbackSettings) -> pa.Array:
    """Return texts of which blanks and, as in training, `NA` and the like are missing, unless they are a class."""
    if not pa.types.is_string(column.type):
        return column
    markers = {"", *LABEL_MARKERS} - {*settings.signature.classes}
    return pc.if_else(is_any_of(pc.utf8_trim_whitespace(column), markers), pa.scalar(None, pa.string()), column)


def _nan_to_null(column: pa.Array) -> pa.Array:
    """Return a column in which NaN is missing, as pandas writes it."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.fill_null(pc.is_nan(column), False), pa.scalar(None, column.type), column)


def _is_bad(label: pa.Array, values: pa.Array) -> Mask:
    """Return where a value is no label: it has another type, or is infinite. A text `NaN` among numbers is an empty label."""
    is_bad = np.asarray(label.is_null(), np.bool_) & ~np.asarray(values.is_null(), np.bool_)
    if not pa.types.is_floating(label.type):
        return is_bad
    if is_bad.any():
        is_bad &= np.array([str(value).strip().lower() != "nan" for value in values.to_pylist()], np.bool_)
    return np.asarray(is_bad | np.asarray(pc.fill_null(pc.is_inf(label), False)), np.bool_)


def _is_written(column: pa.Array) -> Mask:
    """Return where a column has a value; blanks are none."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return np.asarray(column.is_valid(), np.bool_)
    return np.asarray(pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), False))


def _times(column: pa.Array, name: str) -> pa.Array:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.int64())
        message = f"the column {name!r} has numbers; allowed: dates and times, as in 2026-01-31T09:30:00Z"
        raise ConfigError(message, where=f"{_WHERE}.time", remedy="write them as ISO text, or as timestamps in Parquet")
    return read_times(column).cast(pa.int64())


def size_of(file: SpanFile) -> int:
    """Return the size of a file in bytes; 0 where its store does not say it."""
    return int(_info(file).get("size") or 0)


def _info(file: SpanFile) -> dict[str, Any]:
    try:
        return dict(file.filesystem.info(file.path))
    except (OSError, NotImplementedError, AttributeError):  # what a query gives has no such thing
        return {}


def _changed(file: SpanFile) -> datetime | None:
    """Return when a file was changed, as its store says; None where it does not."""
    info = _info(file)
    changed = next((info[name] for name in ("mtime", "LastModified", "updated") if info.get(name)), None)
    if isinstance(changed, int | float):
        return datetime.fromtimestamp(changed, UTC)
    return changed if isinstance(changed, datetime) else None


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
