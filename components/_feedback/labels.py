"""Read the new files with labels: those of the labels' source, and those that servers wrote of labels that were posted to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from components._core.types.tasks import TASKS
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import Format, TableSchema
from components._data.formats.registry import open_format
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source
from components._feedback.columns import NO_TIME, Mask, labels_schema
from components._feedback.settings import POSTED, FeedbackSettings

_WHERE = "feedback.labels"
_POSTED = "posted/"
"""Prefix of the names of files with posted labels, which the labels' source may have too."""
_HOUR, _LISTED_AGAIN = timedelta(hours=1), timedelta(days=7)
"""Hours before the newest that was read are listed again for this time: a server tries until its store answers."""


@dataclass(frozen=True)
class LabelFile:
    """A file with labels.

    Attributes:
        file: The file.
        state: State of its content: a changed file is read again.
        labels: How its columns are named.
    """

    file: SpanFile
    state: str
    labels: Labels


@dataclass
class LabelCounts:
    """What was found in new files.

    Attributes:
        rows: Labels that were read.
        bad: Labels that cannot be used, by reason.
        examples: The first of each reason.
    """

    rows: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add_bad(self, reason: str, example: str) -> None:
        """Count a label that cannot be used."""
        self.bad[reason] += 1
        self.examples.setdefault(reason, example)


def list_new_files(settings: FeedbackSettings, known: Mapping[str, str], now: datetime) -> list[LabelFile]:
    """List the files that are new or changed, by name.

    Args:
        settings: Where they are.
        known: State by name of the files that were read.
        now: The present.

    Raises:
        ConfigError: When the source is invalid, or without permission to read it.
        DataError: When the source has no file. No label that was posted is no error.
        UnavailableError: When the store of the posted labels does not answer.
    """
    labels = settings.config.labels
    found = [
        *(_list_source(labels) if labels else ()),
        *(_list_posted(settings, known, now) if settings.posted else ()),
    ]
    new = [each for each in found if known.get(each.file.name) != (each.state or None)]
    return sorted(new, key=lambda each: each.file.name)


def _list_source(labels: Labels) -> list[LabelFile]:
    source = open_source(labels.source)
    try:
        files = source.list_files("all")
    except DataError as error:
        remedy = "correct feedback.labels.source, or write the first labels there"
        raise DataError(error.message, where=error.where or _WHERE, remedy=remedy) from None
    return [LabelFile(file, source.state(file), labels) for file in files]


def _list_posted(settings: FeedbackSettings, known: Mapping[str, str], now: datetime) -> Iterator[LabelFile]:
    """Yield the files of posted labels, from a week before the newest that was read, or of the time in which answers are kept."""
    newest = max((name for name in known if name.startswith(_POSTED)), default="").removeprefix(_POSTED)
    since = (hour_of(newest) if newest else now - settings.keep) - _LISTED_AGAIN
    # an object is written whole, so that the hours need not be closed; clocks of servers may be ahead
    for hour in list_closed_hours(settings.posted, now + 2 * _HOUR, settle_seconds=0.0, since=since):
        for found in list_objects(settings.posted, hour):
            filesystem, path = open_filesystem(found.uri)
            yield LabelFile(SpanFile(1, path, filesystem, _POSTED + found.name), found.identity, POSTED)


def read_labels(
    settings: FeedbackSettings,
    files: Sequence[LabelFile],
    order: Mapping[str, int],
    now: datetime,
    counts: LabelCounts,
) -> Iterator[pa.RecordBatch]:
    """Yield the labels of new files, see `columns.labels_schema`.

    Args:
        settings: How they are written.
        files: The files.
        order: Place of each file's name among all by name.
        now: The present: a label without a time, in a file without one, was known by then.
        counts: Counts, to which what is found is added.

    Raises:
        ConfigError: When a column does not exist, or the time is not a date or time.
        DataError: When a file cannot be read.
    """
    for written in dict.fromkeys(each.labels.source for each in files):
        yield from _read_files(settings, [each for each in files if each.labels.source == written], order, now, counts)


def _read_files(
    settings: FeedbackSettings,
    files: Sequence[LabelFile],
    order: Mapping[str, int],
    now: datetime,
    counts: LabelCounts,
) -> Iterator[pa.RecordBatch]:
    """Yield the labels of files that are written alike."""
    found, labels = [each.file for each in files], files[0].labels
    table = open_format(_section(settings, labels), found[0])
    _check_columns(settings, labels, table.column_names(found[0]), found[0].name)
    schema = table.infer_schema(found, "")
    for file in found:
        yield from _read_file(settings, labels, table, schema, file, order[file.name], now, counts)


def _section(settings: FeedbackSettings, labels: Labels) -> Data:
    text = ColumnReading(type="identifier")  # an id that looks like a number is a text as any other
    columns = {labels.id: text}
    if labels is POSTED and TASKS[settings.signature.task].has_classes:
        columns[labels.label] = text  # the text of a class, whatever it looks like
    return Data(source=labels.source, format=labels.format, columns=columns)


def _label_column(settings: FeedbackSettings, labels: Labels) -> str:
    return labels.label or settings.label


def _check_columns(settings: FeedbackSettings, labels: Labels, names: Sequence[str], file: str) -> None:
    label = _label_column(settings, labels)
    for key, name in (("id", labels.id), ("row", labels.row), ("label", label), ("time", labels.time)):
        if name and name not in names:
            message = f"there is no column {name!r} in {file}; {suggest(name, list(names))}"
            raise ConfigError(message, where=f"{_WHERE}.{key}", remedy=f"its columns: {listed(list(names))}")


def _read_file(
    settings: FeedbackSettings,
    labels: Labels,
    table: Format,
    schema: TableSchema,
    file: SpanFile,
    place: int,
    now: datetime,
    counts: LabelCounts,
) -> Iterator[pa.RecordBatch]:
    latest, first = _microseconds(now), 0  # it is read now, so it was known by now, whatever clocks say
    changed = min(_microseconds(_changed(file) or now), latest)

    def reject(row: BadRow) -> None:
        counts.add_bad("unreadable", f"{row.place}: {row.reason}")

    for rows in table.read_rows(file, schema, "", reject):
        batch = _to_labels(settings, labels, rows.examples, file.name, counts)
        seen = pc.if_else(pc.equal(batch["time"], NO_TIME), changed, batch["time"])
        size = batch.num_rows
        found = {
            **{name: batch[name] for name in ("id", "row", "label", "time")},
            "object": pa.array(np.full(size, place, np.int32)),
            "place": pa.array(np.arange(first, first + size)),
            "seen": pc.min_element_wise(seen, pa.scalar(latest)),
            "is_judged": pa.array(np.zeros(size, np.bool_)),
        }
        first += size
        counts.rows += size
        yield pa.RecordBatch.from_arrays([*found.values()], schema=labels_schema(settings.label_type))


def _to_labels(
    settings: FeedbackSettings, labels: Labels, batch: pa.RecordBatch, file: str, counts: LabelCounts
) -> pa.RecordBatch:
    size = batch.num_rows
    ids = to_text(batch[labels.id])
    rows = cast_or_null(batch[labels.row], pa.int64()) if labels.row else pa.array(np.zeros(size, np.int64))
    values = _nan_to_null(batch[_label_column(settings, labels)])
    label = _nan_to_null(cast_or_null(values, settings.label_type))
    is_bad = _is_bad(label, values)
    times = _times(batch[labels.time], labels.time) if labels.time else pa.nulls(size, pa.int64())
    is_wrong = {
        "missing_id": np.asarray(ids.is_null()),
        "bad_row": np.asarray(rows.is_null()),
        "bad_label": is_bad,
        "bad_time": _is_written(batch[labels.time]) & np.asarray(times.is_null())
        if labels.time
        else np.zeros(size, np.bool_),
    }
    shown = {"bad_label": values, "bad_time": batch[labels.time or labels.id]}
    keep = np.ones(size, np.bool_)
    for reason, mask in is_wrong.items():
        for index in np.flatnonzero(mask & keep).tolist():
            what = shown.get(reason, batch[labels.row or labels.id])[index].as_py()
            counts.add_bad(reason, f"{file}: {what!r}"[:200])
        keep &= ~mask
    found = pa.RecordBatch.from_arrays(
        [ids, rows, label, pc.fill_null(times, NO_TIME)], names=["id", "row", "label", "time"]
    )
    return found if keep.all() else found.filter(pa.array(keep))


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


def cast_or_null(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast a column value by value; what has no such value becomes null.

    Args:
        column: Numbers, truth values or texts.
        kind: The type.
    """
    if column.type == kind:
        return column
    if pa.types.is_boolean(kind) and not pa.types.is_boolean(column.type):
        column = _cast_each(
            column, lambda value: {"true": True, "1": True, "false": False, "0": False}.get(_word(value))
        )
        return column.cast(kind)
    try:
        return to_text(column) if pa.types.is_string(kind) else column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a value that does not fit, or types that have no cast
        return _cast_each(column, lambda value: _parse(value, kind)).cast(kind)


def _cast_each(column: pa.Array, parse: Callable[[object], object]) -> pa.Array:
    encoded = column.dictionary_encode()
    return pa.array([parse(value) for value in encoded.dictionary.to_pylist()]).take(encoded.indices)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip().lower()


def _parse(value: object, kind: pa.DataType) -> int | float | None:
    try:
        number = float(str(value).strip()) if not isinstance(value, int) else value
    except ValueError:
        return None
    if pa.types.is_floating(kind):
        return float(number)
    return int(number) if float(number).is_integer() and abs(number) < 2**63 else None


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
