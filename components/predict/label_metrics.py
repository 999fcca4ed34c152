"""Metrics of the answered rows whose label is in the table."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import Task
from components._data.columns.numbers import cast_numbers, parse_numbers
from components.predict.work_folder import PartRecord, WorkFolder

_MOST_NUMBERS = 2_000_000
"""Scores that are held at once: of a table with more labelled rows, every second, third, ... row is measured."""


@dataclass(frozen=True)
class LabelMetrics:
    """Measures the answers to labelled rows.

    Attributes:
        signature: The model's signature.
        threshold: Probability from which a row counts as positive; None: the task's own.
        label: The label's column.
        column: Name of the column with the score.
    """

    signature: Signature
    threshold: float | None
    label: str
    column: str

    @property
    def task(self) -> Task:
        """The model's task, with its threshold."""
        return TASKS[self.signature.task].with_threshold(self.threshold)

    def collect(self, rows: pa.Table | None) -> tuple[int, bytes]:
        """Return the number of answered rows with a known label, and their labels and scores as a file's content."""
        if rows is None or self.label not in rows.column_names:
            return 0, b""
        labels = self.task.label_values(_as_label(rows[self.label], self.task), self.signature.classes)
        known = self.task.is_known(labels) & (np.isfinite(labels) if labels.dtype.kind == "f" else True)
        sink = io.BytesIO()
        np.savez(sink, labels=labels[known], scores=_as_array(rows[self.column])[known])
        return int(known.sum()), sink.getvalue()

    def measure(self, work: WorkFolder, records: Sequence[PartRecord]) -> tuple[dict[str, float], int]:
        """Return metrics by name, and the number of rows that they were measured on; empty without labelled rows."""
        total = sum(record.labelled for record in records)
        if not total:
            return {}, 0
        step = -(-total * max(len(self.signature.classes), 1) // _MOST_NUMBERS)
        labels, scores = zip(*_every(work, records, step), strict=True)
        return self.task.measure(np.concatenate(labels), np.concatenate(scores)), sum(map(len, labels))


def file_name(number: int) -> str:
    """Return the name of the file of a part."""
    return f"labels-{number:06d}.npz"


def _every(
    work: WorkFolder, records: Sequence[PartRecord], step: int
) -> Iterator[tuple[NDArray[np.generic], NDArray[np.generic]]]:
    seen = 0
    for record in records:
        if record.labelled:
            with np.load(io.BytesIO(work.read(file_name(record.number))), allow_pickle=False) as held:
                first = -seen % step
                yield held["labels"][first::step], held["scores"][first::step]
            seen += record.labelled


def _as_label(column: pa.ChunkedArray, task: Task) -> pa.Array:
    whole = column.combine_chunks()
    values = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
    if task.has_classes or not pa.types.is_string(values.type):
        return values
    return cast_numbers(parse_numbers(values, "."), pa.float64())


def _as_array(column: pa.ChunkedArray) -> NDArray[np.generic]:
    if pa.types.is_list(column.type):
        flat = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks])
        return np.asarray(flat.reshape(len(column), -1))
    return np.asarray(column.to_numpy())
