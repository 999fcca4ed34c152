"""Makes the reference that a monitor compares served requests with: counts of the training rows and of the test predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from components._core.monitoring.reference import BlockKind, Column, MonitoringReference
from components._core.monitoring.reference_builder import MOST_BLOCKS, build_features, places_of_days
from components._core.monitoring.reliability import Reliability, measure_reliability
from components._core.monitoring.score_column import largest_scores
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS

_DAY = "naru:day"
_EPOCH = date(1970, 1, 1).toordinal()
_MICROSECONDS = 86_400_000_000
_UNKNOWN = -1
_SMALLEST_BLOCK = 100
_MOST_BLOCKS = 100


def make_monitoring_reference(
    examples: Path, signature: Signature, scores: NDArray[np.float64], labels: NDArray[Any] | None = None
) -> MonitoringReference:
    """Make the reference from the training rows and the model's scores on the test rows; importances are not in it yet.

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
    names = [feature.name for feature in signature.inputs]

    def read() -> Iterator[pa.RecordBatch]:
        return _with_days(examples, "train", manifest, names, days)

    rows = row_count(examples, "train")
    built = build_features(read, rows, signature.inputs, _read_day if days else None)
    tested = _days_of_test(examples, manifest, names[:1], days) if days else None
    output_days, blocks = _blocks_of_scores(len(scores), tested)
    outputs = _count_scores(signature, scores, blocks)
    block: BlockKind = "day" if built.days else "rows"
    reliability = _measure_reliability(signature, outputs, scores, labels)
    return MonitoringReference(block, built.days, built.features, outputs, {}, output_days, reliability)


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
            day = position // 24 if manifest.unit.name == "hour" else position
            for batch in read_batches(examples, split, names, [span]):
                yield _append(batch, np.full(batch.num_rows, day, dtype=np.int64))
        return
    column = source.removeprefix("column ")
    wanted = [*names, column] if column and column not in names else names
    for batch in read_batches(examples, split, wanted):
        yield _append(batch, _days_of(batch[column])) if column else batch


def _days_of(times: pa.Array) -> NDArray[np.int64]:
    found = read_times(times)
    days = np.asarray(found.fill_null(0), dtype=np.int64) // _MICROSECONDS + _EPOCH
    return np.where(np.asarray(found.is_valid()), days, _UNKNOWN)


def _append(batch: pa.RecordBatch, days: NDArray[np.int64]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, pa.array(days)], names=[*batch.schema.names, _DAY])


def _read_day(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return np.asarray(batch[batch.schema.get_field_index(_DAY)], dtype=np.int64)


def _days_of_test(examples: Path, manifest: Manifest, names: list[str], source: str) -> NDArray[np.int64]:
    """Return the day of each test row, in the order of the split."""
    batches = _with_days(examples, "test", manifest, names, source)
    return np.concatenate([np.zeros(0, dtype=np.int64), *map(_read_day, batches)])


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
    classes = task.predicted_classes(scores) if "class" in signature.outputs else None
    if classes is not None:
        texts = np.asarray(signature.classes, dtype=object)[classes]
        known = dict(zip(*(part.tolist() for part in np.unique(texts.astype(str), return_counts=True)), strict=True))
        text = text_bins({name: int(known.get(name, 0)) for name in signature.classes})
        counted["class"] = Column(text, _by_block(text, pa.array(texts.tolist(), pa.string()), blocks))
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
