"""Makes the reference that a monitor compares served requests with: counts of the training rows and of the test predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.artifact import Manifest, read_batches, row_count
from components._core.examples.split_definition import TimeSplit
from components._core.examples.time_split import read_times
from components._core.monitoring.feature_bins import SCORE_BINS, Bins, NumberBins, number_bins, text_bins
from components._core.monitoring.hours_of_days import count_by_hour, days_with_hours
from components._core.monitoring.reference import HOURS, BlockKind, Column, MonitoringReference
from components._core.monitoring.reference_builder import MOST_BLOCKS, build_features, places_of_days
from components._core.monitoring.reliability import Reliability, measure_reliability
from components._core.monitoring.score_column import largest_scores
from components._core.types.column_types import BYTES
from components._core.types.feature_types import FLOAT32
from components._core.types.measured_columns import MONITORED_MEASURES, measured_column
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS

_DAY, _HOUR = "naru:day", "naru:hour"
_EPOCH = date(1970, 1, 1).toordinal()
_MICROSECONDS = 3_600_000_000
_UNKNOWN = -1
_SMALLEST_BLOCK = 100
_MOST_BLOCKS = 100


def make_monitoring_reference(
    examples: Path, signature: Signature, scores: NDArray[np.float64], labels: NDArray[Any] | None = None
) -> MonitoringReference:
    """Make the reference from the training rows and the model's scores on the test rows; importances are not in it yet.

    Columns of bytes, such as pictures, are not in it: no two are equal, and the request log has none of them. It has measures of pictures.

    Args:
        examples: The examples artifact.
        signature: The model's.
        scores: Scores of the test rows, [rows] or [rows, classes], in the order of the split.
        labels: Their class index or target, shape [rows]; None: not known.

    Raises:
        DataError: When a column has a type that is not supported.
    """
    manifest = Manifest.load(examples)
    days = _day_source(manifest)
    compared = tuple(each for each in signature.inputs if manifest.columns.get(each.name) != BYTES.name)
    compared += _measures(signature, manifest)
    others = [name for name, kind in manifest.columns.items() if kind != BYTES.name]
    names = [feature.name for feature in compared] or others[:1]

    def read() -> Iterator[pa.RecordBatch]:
        return _with_days(examples, "train", manifest, names, days)

    rows = row_count(examples, "train")
    built = build_features(read, rows, compared, *((_read_day, _read_hour) if days else ()))
    tested, hours = _times_of_test(examples, manifest, names[:1], days) if days else (None, None)
    output_days, blocks = _blocks_of_scores(len(scores), tested)
    outputs = _count_scores(signature, scores, blocks)
    if hours is not None and output_days and len(np.unique(hours[blocks >= 0])) > 1:
        outputs = _count_by_hour(outputs, signature, scores, blocks, hours)
    block: BlockKind = "day" if built.days else "rows"
    reliability = _measure_reliability(signature, outputs, scores, labels)
    return MonitoringReference(block, built.days, built.features, outputs, {}, output_days, reliability)


def _measures(signature: Signature, manifest: Manifest) -> tuple[Feature, ...]:
    """Return the measures of pictures that the request log has too, as features."""
    named = (measured_column(name, each) for name in sorted(signature.picture_names) for each in MONITORED_MEASURES)
    return tuple(Feature(name, FLOAT32.name, True) for name in named if name in manifest.columns)


def _day_source(manifest: Manifest) -> str:
    """Return the column with the time of a row, `span` where spans are days or hours, or nothing."""
    split = manifest.split
    if isinstance(split, TimeSplit) and not isinstance(split.test_from, int | float):  # a number may count anything
        return f"column {split.column}"
    return "span" if manifest.unit.name in ("day", "hour") else ""


def _with_days(
    examples: Path, split: str, manifest: Manifest, names: list[str], source: str
) -> Iterator[pa.RecordBatch]:
    if source == "span":
        for span in manifest.spans:
            position = manifest.unit.position(span)
            day, hour = divmod(position, HOURS) if manifest.unit.name == "hour" else (position, 0)
            for batch in read_batches(examples, split, names, [span]):
                times = (np.full(batch.num_rows, part, dtype=np.int64) for part in (day, hour))
                yield _append(batch, *times)
        return
    column = source.removeprefix("column ")
    wanted = [*names, column] if column and column not in names else names
    for batch in read_batches(examples, split, wanted):
        yield _append(batch, *_times_of(batch[column])) if column else batch


def _times_of(times: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the day and the hour of each time."""
    found = read_times(times)
    days, hours = np.divmod(np.asarray(found.fill_null(0), dtype=np.int64) // _MICROSECONDS, HOURS)
    return np.where(np.asarray(found.is_valid()), days + _EPOCH, _UNKNOWN), hours


def _append(batch: pa.RecordBatch, days: NDArray[np.int64], hours: NDArray[np.int64]) -> pa.RecordBatch:
    columns = [*batch.columns, pa.array(days), pa.array(hours)]
    return pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, _DAY, _HOUR])


def _read_day(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return np.asarray(batch[batch.schema.get_field_index(_DAY)], dtype=np.int64)


def _read_hour(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return np.asarray(batch[batch.schema.get_field_index(_HOUR)], dtype=np.int64)


def _times_of_test(
    examples: Path, manifest: Manifest, names: list[str], source: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the day and the hour of each test row, in the order of the split."""
    none = np.zeros(0, dtype=np.int64)
    read = [(_read_day(batch), _read_hour(batch)) for batch in _with_days(examples, "test", manifest, names, source)]
    return np.concatenate([none, *(days for days, _ in read)]), np.concatenate([none, *(hours for _, hours in read)])


def _blocks_of_scores(rows: int, days: NDArray[np.int64] | None) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Return the days of the blocks of the test rows, and the block of each row; without days parts of the rows in their order."""
    if days is not None and len(days) == rows:
        known = np.unique(days[days != _UNKNOWN])[-MOST_BLOCKS:]
        if len(known) > 1:
            return tuple(known.tolist()), places_of_days(days, known.tolist())
    size = max(_SMALLEST_BLOCK, -(-rows // _MOST_BLOCKS))
    number = max(rows // size, 1)
    return (), np.minimum(np.arange(rows) // size, number - 1)  # the rest of the rows joins the last block


def _count_scores(signature: Signature, scores: NDArray[np.float64], blocks: NDArray[np.int64]) -> dict[str, Column]:
    """Count the scores, and the classes of a task that answers with one, by block; rows of a negative block are left out."""
    task = TASKS[signature.task]
    numbers = largest_scores(scores)
    counted = {
        task.score: Column(
            cells := number_bins(numbers, "float32", SCORE_BINS), _by_block(cells, pa.array(numbers), blocks)
        )
    }
    texts = _predicted_texts(signature, scores)
    if texts is not None:
        known = dict(zip(*(part.tolist() for part in np.unique(texts, return_counts=True)), strict=True))
        text = text_bins({name: int(known.get(name, 0)) for name in signature.classes})
        counted["class"] = Column(text, _by_block(text, pa.array(texts.tolist(), pa.string()), blocks))
    return counted


def _predicted_texts(signature: Signature, scores: NDArray[np.float64]) -> NDArray[np.str_] | None:
    """Return the predicted class of each row; None for a task that answers with none."""
    classes = TASKS[signature.task].predicted_classes(scores) if "class" in signature.outputs else None
    return None if classes is None else np.asarray(signature.classes, dtype=object)[classes].astype(str)


def _count_by_hour(
    outputs: Mapping[str, Column],
    signature: Signature,
    scores: NDArray[np.float64],
    blocks: NDArray[np.int64],
    hours: NDArray[np.int64],
) -> dict[str, Column]:
    """Return the outputs with their counts by hour."""
    number = len(next(iter(outputs.values())).blocks)
    kept = days_with_hours([column.bins for column in outputs.values()], number)
    texts, counted = _predicted_texts(signature, scores), {}
    for name, column in outputs.items():
        values = pa.array(largest_scores(scores))
        if texts is not None and name == "class":
            values = pa.array(texts.tolist(), pa.string())
        places, shape = column.bins.places(values), (kept, HOURS, column.bins.size)
        counted[name] = replace(column, hours=count_by_hour(blocks - (number - kept), hours, places, shape))
    return counted


def _measure_reliability(
    signature: Signature, outputs: Mapping[str, Column], scores: NDArray[np.float64], labels: NDArray[Any] | None
) -> dict[str, Reliability]:
    """Return the reliability of the score of a binary task, by its output; of other tasks nothing."""
    name = TASKS[signature.task].score
    bins = outputs[name].bins
    if labels is None or scores.ndim > 1 or len(signature.classes) != 2 or not isinstance(bins, NumberBins):
        return {}
    return {name: measure_reliability(bins, scores, labels)}


def _by_block(bins: Bins, values: pa.Array, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    number, kept = int(blocks.max(initial=0)) + 1, blocks >= 0
    cells = blocks[kept] * bins.size + bins.places(values)[kept]
    return np.bincount(cells, minlength=number * bins.size).reshape(number, bins.size).astype(np.int64)
