"""What was answered to the labelled rows of a span, without their features: what a monitor needs to measure a version.

One Parquet file for each span, among the objects of the store, named in its manifest. A row that corrects one of an earlier span
says which; readers then leave out the earlier one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.errors import ServiceError
from components._core.examples.safe_parquet import pq
from components._feedback.columns import Ints, numbers
from components._feedback.span_store import SpanStore

SCORED = "scored"
"""Name of the file, and its key in a manifest."""
NO_ROW = -1
"""Position of an answer that was closed without a label, and of the row that is corrected where none is."""
_BATCH = 65_536
_ANSWER = ("time", "version", "score", "scores")


def scored_schema(label: pa.DataType, *, by_class: bool) -> pa.Schema:
    """One row for each labelled row of a span, and for each answer that an empty label closed.

    `time` (of the answer), `version` and `score` are null where an earlier Naru, which did not keep them, wrote the span that a row
    corrects. `position` is the row's place in the span. A correction has the number of the span that it corrects, and the place there.

    Args:
        label: Type of the label.
        by_class: Whether a row has a score for each class, in `scores`.
    """
    fields = [
        ("time", pa.int64()),
        ("version", pa.string()),
        ("score", pa.float64()),
        *([("scores", pa.list_(pa.float64()))] if by_class else []),
        ("label", label),
        ("position", pa.int64()),
        ("corrects_span", pa.int64()),
        ("corrects_position", pa.int64()),
    ]
    return pa.schema(fields)


class ScoredRows:
    """Writes the file of a span.

    Args:
        path: The file to write.
        label: Type of the label.
        by_class: As in `scored_schema`.
    """

    def __init__(self, path: Path, label: pa.DataType, *, by_class: bool) -> None:
        self.rows = 0
        self._schema = scored_schema(label, by_class=by_class)
        self._writer = pq.ParquetWriter(path, self._schema)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def add(self, answers: pa.Table, positions: Ints, label: Any = None) -> None:
        """Write rows of the span.

        Args:
            answers: The answers, see `columns.answers_schema`.
            positions: Their places in the span.
            label: Their labels; None: they were closed without one.
        """
        self._write(answers, positions, label, np.full(len(positions), NO_ROW), np.full(len(positions), NO_ROW))

    def add_closed(self, answers: pa.Table) -> None:
        """Write answers that were closed without a label."""
        self.add(answers, np.full(answers.num_rows, NO_ROW, np.int64))

    def add_corrections(self, answers: pa.Table, positions: Ints, corrected: pa.Table) -> None:
        """Write rows that correct earlier ones.

        Args:
            answers: What was answered, as `read_answers_at` gives it.
            positions: Their places in the span.
            corrected: What was remembered of them, see `columns.done_schema`, with the new labels.
        """
        of_span, of_position = numbers(corrected, "span"), numbers(corrected, "position")
        self._write(answers, positions, corrected["label"], of_span, of_position)

    def _write(self, answers: pa.Table, positions: Ints, label: Any, of_span: Ints, of_position: Ints) -> None:
        size = len(positions)
        if not size:
            return
        values = {
            "position": pa.array(positions),
            "corrects_span": pa.array(of_span),
            "corrects_position": pa.array(of_position),
            "label": pa.nulls(size, self._schema.field("label").type) if label is None else label,
        }
        for field in self._schema:
            if field.name in _ANSWER:
                known = field.name in answers.schema.names
                values[field.name] = answers[field.name] if known else pa.nulls(size, field.type)
        columns = {field.name: values[field.name].cast(field.type) for field in self._schema}
        self._writer.write_table(pa.table(columns, schema=self._schema))
        self.rows += size


def read_answers_at(path: Path | None, positions: Ints) -> pa.Table:
    """Return what was answered to rows of a span, in the order of some positions.

    Args:
        path: The file of the span; None: it has none, and everything is null.
        positions: Places of the rows in the span, ascending.

    Raises:
        ServiceError: When the file lacks a row.
    """
    if path is None:
        return pa.table({"version": pa.nulls(len(positions), pa.string())})
    file = pq.ParquetFile(path)
    names = [name for name in (*_ANSWER, "position") if name in file.schema_arrow.names]
    found = [
        batch.filter(pa.array(np.isin(np.asarray(batch["position"]), positions)))
        for batch in file.iter_batches(batch_size=_BATCH, columns=names)
    ]
    table = pa.Table.from_batches(found, schema=pa.schema([file.schema_arrow.field(name) for name in names]))
    table = table.take(pa.array(np.argsort(numbers(table, "position"), kind="stable")))
    if not np.array_equal(numbers(table, "position"), positions):
        raise ServiceError("is damaged: it lacks rows of its span", where=path.name, remedy="restore it from a backup")
    return table


def read_scored(store: SpanStore, since: datetime) -> Iterator[pa.Table]:
    """Yield the rows that were answered at or after a time, the newest span first; a corrected row only as its last correction has it.

    A span without such a file, which an earlier Naru wrote, has no rows here.

    Raises:
        ServiceError: When a file is missing or damaged.
        UnavailableError: When the store does not answer.
    """
    first = int(since.timestamp() * 1_000_000)
    replaced: dict[int, list[Ints]] = {}
    manifest = store.last()
    while manifest is not None and datetime.fromisoformat(manifest["log"]["until"]) >= since:
        number = int(manifest["number"])
        if SCORED in manifest:
            yield _read(store, manifest[SCORED]["object"], first, replaced.pop(number, []), replaced)
        manifest = store.before(number)


def _read(store: SpanStore, name: str, first: int, hidden: list[Ints], replaced: dict[int, list[Ints]]) -> pa.Table:
    with tempfile.TemporaryDirectory(prefix="naru-scored-") as folder:
        table = pq.read_table(store.fetch(name, Path(folder)))
    of_span, of_position = numbers(table, "corrects_span"), numbers(table, "corrects_position")
    for span in np.unique(of_span[of_span != NO_ROW]).tolist():
        replaced.setdefault(span, []).append(of_position[of_span == span])
    position = numbers(table, "position")
    times = np.asarray(table["time"].fill_null(first - 1).to_numpy(), np.int64)
    stays = times >= first
    if hidden:
        stays &= ~np.isin(position, np.concatenate(hidden))
    return table.filter(pa.array(stays)).select([name for name in table.schema.names if name in (*_ANSWER, "label")])
