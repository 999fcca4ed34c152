"""The rows of a span: features and label as a table that ingest reads, and what is remembered of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.examples.safe_parquet import pq
from components._feedback.answers import features_of
from components._feedback.columns import FEATURE, IN_SPAN, NO_TIME, Ints, numbers
from components._feedback.scored_rows import ScoredRows, read_answers_at
from components._feedback.settings import FeedbackSettings
from components._feedback.typed_values import cast_or_null

_MOMENT = pa.timestamp("us", "UTC")
_ADDED = {
    "id": pa.string(),
    "row": pa.int64(),
    "time": _MOMENT,
    "version": pa.string(),
    "share": pa.float64(),
    "known_at": _MOMENT,
}


class SpanRows:
    """Writes the rows of a span.

    Args:
        settings: What they look like.
        path: The file to write.
        number: Number of the span.
        scored: What was answered to the rows is written there.
        unfit: Features with a value, in this span or an earlier one, that the type of their training column does not hold.

    Attributes:
        rows: Rows written.
        late: Rows whose label became known after `feedback.wait`.
        versions: Rows by the version that answered, corrections left out.
        shares: Rows by the share with which their requests were logged, corrections left out.
        corrects: Rows by the span whose label they correct.
    """

    def __init__(
        self, settings: FeedbackSettings, path: Path, scored: ScoredRows, number: int, unfit: set[str]
    ) -> None:
        self.rows = self.late = 0
        self.versions: Counter[str] = Counter()
        self.shares: Counter[float] = Counter()
        self.corrects: Counter[int] = Counter()
        self._after = self._timed = 0
        self._settings, self._number, self._scored = settings, number, scored
        self._schema = _schema(settings, unfit)
        self._writer = pq.ParquetWriter(path, self._schema)

    @property
    def after_answer(self) -> float | None:
        """Share of the rows whose label became known after their answer; None when no label has a time."""
        return self._after / self._timed if self._timed else None

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def add(self, labelled: pa.Table, done: pa.Schema) -> pa.Table:
        """Write the labelled answers of a bucket, by time, and return what is remembered of each (`done`)."""
        order = np.lexsort([numbers(labelled, name) for name in ("place", "rank", "time")])
        labelled = labelled.take(pa.array(order))
        self._count(labelled)
        config, features = self._settings.config, features_of(self._settings)
        columns = {name: labelled[FEATURE + name] for name in features}
        columns |= {name: _added(labelled, kind) for kind, name in config.columns.items()}
        columns[self._settings.label] = labelled["label"]
        positions = self._write(pa.table({name: columns[name].cast(self._schema.field(name).type) for name in columns}))
        self._scored.add(labelled, positions, labelled["label"])
        return _remember(labelled, "known_at", positions, self._number, done)

    def add_corrections(self, corrected: pa.Table, rows: Path, scored: Path | None, number: int) -> Iterator[pa.Table]:
        """Write rows of an earlier span again, with their new labels; yields what is remembered of each.

        Args:
            corrected: What is remembered of the rows, with the new labels.
            rows: The rows of that span.
            scored: What was answered to them; None: an earlier Naru did not keep it.
            number: Its number.
        """
        order = np.argsort(numbers(corrected, "position"), kind="stable")
        corrected = corrected.take(pa.array(order))
        places, begin, label = numbers(corrected, "position"), 0, self._settings.label
        answers = read_answers_at(scored, places)
        file = pq.ParquetFile(rows)
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            chosen = np.flatnonzero((places >= begin) & (places < end))
            if len(chosen):
                found = file.read_row_group(group).take(pa.array(places[chosen] - begin))
                again = corrected.take(pa.array(chosen))
                columns = {field.name: _column(found, field) for field in self._schema}
                columns[label] = again["label"].cast(self._schema.field(label).type)
                if known_at := self._settings.config.columns.get("known_at"):
                    columns[known_at] = _moments(numbers(again, "time"))
                self.corrects[number] += len(chosen)
                positions = self._write(pa.table(columns))
                self._scored.add_corrections(answers.take(pa.array(chosen)), positions, again)
                yield _remember(again, "time", positions, self._number, corrected.schema)
            begin = end

    def _write(self, table: pa.Table) -> Ints:
        positions = np.arange(self.rows, self.rows + table.num_rows)
        if table.num_rows:
            self._writer.write_table(table.select(self._schema.names).cast(self._schema))
        self.rows += table.num_rows
        return positions

    def _count(self, labelled: pa.Table) -> None:
        known, answered = numbers(labelled, "known_at"), numbers(labelled, "time")
        timed = known != NO_TIME
        wait = int(self._settings.wait.total_seconds() * 1_000_000)
        self.late += int((timed & (known > answered + wait)).sum())
        self._timed += int(timed.sum())
        self._after += int((timed & (known > answered)).sum())
        self.versions.update(labelled["version"].to_pylist())
        self.shares.update(labelled["share"].to_pylist())


def _schema(settings: FeedbackSettings, unfit: set[str]) -> pa.Schema:
    """Return the columns of the rows: a feature has the type of its training column where that holds all values of the log."""
    fields: list[tuple[str, Any]] = []
    for name, kind in features_of(settings).items():
        wanted = settings.types.get(name, kind)
        is_whole = pa.types.is_integer(wanted) and pa.types.is_floating(kind)
        is_bool = pa.types.is_boolean(wanted) and pa.types.is_integer(kind)
        fields.append((name, wanted if (is_whole or is_bool) and name not in unfit else kind))
    fields += [(name, _ADDED[kind]) for kind, name in settings.config.columns.items()]
    return pa.schema([*fields, (settings.label, settings.label_type)])


def _added(labelled: pa.Table, kind: str) -> pa.ChunkedArray:
    column = labelled[kind]
    if kind != "known_at":
        return column.cast(pa.timestamp("us")).cast(_MOMENT) if kind == "time" else column
    return _moments(numbers(labelled, kind))


def _moments(values: Ints) -> pa.ChunkedArray:
    """Return times of labels as they are in a span; missing where a label has none."""
    return pa.chunked_array([pa.array(values, pa.timestamp("us"), mask=values == NO_TIME).cast(_MOMENT)])


def _column(rows: pa.Table, field: pa.Field) -> Any:
    """Return a column of an earlier span; one that it does not have is missing, and so is a value that the present type does not hold."""
    if field.name not in rows.schema.names:
        return pa.nulls(rows.num_rows, field.type)
    return cast_or_null(rows[field.name].combine_chunks(), field.type)


def _remember(rows: pa.Table, time: str, positions: Ints, number: int, schema: pa.Schema) -> pa.Table:
    size = rows.num_rows
    values = {
        **{name: rows[name] for name in ("id", "row", "hash", "label", "object")},
        "time": rows[time],
        "status": pa.array(np.full(size, IN_SPAN, np.int8)),
        "span": pa.array(np.full(size, number, np.int64)),
        "position": pa.array(positions),
    }
    return pa.table([values[name] for name in schema.names], schema=schema)
