"""Read new objects of the request log as answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError
from components._core.examples.row_hash import hash_rows
from components._core.request_log.columns import INPUTS, OUTPUTS
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject
from components._core.request_log.reader import read_object
from components._core.types.tasks import TASKS
from components._feedback.columns import answers_schema
from components._feedback.settings import FeedbackSettings

_SAMPLE = 100_000
"""Scores that the borders of the deciles are taken from."""


@dataclass
class AnswerCounts:
    """What was found in the new objects.

    Attributes:
        log: Counts of the log's reader.
        foreign: Rows of other models, which a log of several projects has; they are left out.
        masked: Rows in which a feature was masked, by its name.
        versions: Rows by version.
        shares: Rows by the share with which they were sampled; format 1 does not say it and counts as 1.
        weighted_rows: Estimated number of rows that were answered: each logged one counts 1 / share.
        unfit: Features with a value that the type of their training column does not hold, such as 0.5 in whole numbers.
        scores: A sample of the scores.
    """

    log: LogCounts = field(default_factory=LogCounts)
    foreign: int = 0
    masked: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    shares: Counter[float] = field(default_factory=Counter)
    weighted_rows: float = 0.0
    unfit: set[str] = field(default_factory=set)
    scores: list[np.ndarray] = field(default_factory=list)  # type: ignore[type-arg]


def features_of(settings: FeedbackSettings) -> dict[str, pa.DataType]:
    """Return the Arrow type of each feature in the log."""
    kinds = {"whole": pa.int64(), "real": pa.float64(), "text": pa.string()}
    return {feature.name: kinds[feature.type.kind] for feature in settings.signature.accepted}


def read_answers(
    settings: FeedbackSettings, objects: Sequence[LogObject], counts: AnswerCounts
) -> Iterator[pa.RecordBatch]:
    """Yield the answered rows of new objects, see `columns.answers_schema`; what is found besides is added to `counts`."""
    schema = answers_schema(features_of(settings), by_class=settings.by_class)
    step = max(len(objects) // 100, 1)
    for rank, found in enumerate(objects):
        place = 0
        for logged in read_object(found, counts.log, settings.signature):
            is_own = pc.fill_null(pc.equal(logged["model"], settings.project), True)
            batch = logged.filter(is_own)
            counts.foreign += logged.num_rows - batch.num_rows
            _count(settings, batch, counts, is_sampled=rank % step == 0)
            yield _to_answers(settings, batch, schema, rank, place)
            place += batch.num_rows


def check_masks(settings: FeedbackSettings, counts: AnswerCounts) -> None:
    """Refuse rows without the values of a feature that the model uses: a model trained on them would lose it silently.

    Raises:
        ConfigError: When a feature that the model uses was masked in a row.
    """
    used = {feature.name for feature in settings.signature.inputs}
    for name, rows in counts.masked.items():
        if name in used:
            message = f"the feature {name!r} is masked in {rows:,} rows of the request log, so a span would lack it"
            remedy = (
                "take it out of serve.request_log.mask, set serve.request_log.uri to a new folder, and deploy; or exclude it from the "
                "model (data.exclude), and train and deploy"
            )
            raise ConfigError(message, where=settings.log, remedy=remedy)


def _to_answers(
    settings: FeedbackSettings, batch: pa.RecordBatch, schema: pa.Schema, rank: int, place: int
) -> pa.RecordBatch:
    names = [feature.name for feature in settings.signature.accepted]
    inputs = pa.RecordBatch.from_arrays([batch[INPUTS + name] for name in names], names=names)
    fixed = {
        "id": batch["id"],
        "row": batch["row"],
        "time": batch["time"].cast(pa.int64()),
        "version": batch["version"],
        "share": pc.fill_null(batch["share"], 1.0),
        "score": _score(batch),
        "hash": pa.array(hash_rows(inputs, names), pa.uint64()),
        "rank": pa.array(np.full(batch.num_rows, rank, np.int32)),
        "place": pa.array(np.arange(place, place + batch.num_rows)),
    }
    if settings.by_class:
        fixed["scores"] = _scores(settings, batch)
    arrays = [*fixed.values(), *inputs.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _count(settings: FeedbackSettings, batch: pa.RecordBatch, counts: AnswerCounts, *, is_sampled: bool) -> None:
    for name, rows in _value_counts(batch["version"]):
        counts.versions[str(name)] += rows
    for share, rows in _value_counts(pc.fill_null(batch["share"], 1.0)):
        counts.shares[float(share)] += rows
        counts.weighted_rows += rows / share if share else 0.0
    if len(batch["masked"].flatten()):
        for name, rows in _value_counts(batch["masked"].flatten()):
            counts.masked[str(name)] += rows
    for name, wanted in settings.types.items():
        column = batch[INPUTS + name] if INPUTS + name in batch.schema.names else None
        if column is not None and name not in counts.unfit and not _fits(column, wanted):
            counts.unfit.add(name)
    if is_sampled and sum(map(len, counts.scores)) < _SAMPLE:
        counts.scores.append(np.asarray(_score(batch).drop_null()))


def _fits(column: pa.Array, wanted: pa.DataType) -> bool:
    """Return whether a narrower type of training rows holds all values."""
    values = np.asarray(column.drop_null()) if pa.types.is_integer(wanted) or pa.types.is_boolean(wanted) else None
    if values is None or values.dtype == object:
        return True
    if pa.types.is_boolean(wanted):
        return bool(np.all((values == 0) | (values == 1)))
    return bool(np.all((np.floor(values) == values) & (np.abs(values) < 2.0**63)))


def _value_counts(column: pa.Array) -> list[tuple[Any, int]]:
    counted = pc.value_counts(column)
    return list(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _score(batch: pa.RecordBatch) -> pa.Array:
    """Return the number that was answered: the first output that is one, or the largest number of one that is a vector."""
    for field_ in batch.schema:
        if field_.name.startswith(OUTPUTS) and pa.types.is_floating(field_.type):
            return batch[field_.name]
    for field_ in batch.schema:
        if field_.name.startswith(OUTPUTS) and pa.types.is_list(field_.type):
            return _largest(batch[field_.name])
    return pa.nulls(batch.num_rows, pa.float64())


def _scores(settings: FeedbackSettings, batch: pa.RecordBatch) -> pa.Array:
    """Return the scores of each class; null where the log has none."""
    name, kind = OUTPUTS + TASKS[settings.signature.task].score, pa.list_(pa.float64())
    has_them = name in batch.schema.names and pa.types.is_list(batch.schema.field(name).type)
    return batch[name].cast(kind) if has_them else pa.nulls(batch.num_rows, kind)


def _largest(vectors: pa.Array) -> pa.Array:
    lengths = np.asarray(pc.fill_null(pc.list_value_length(vectors), 0), np.int64)
    values = np.asarray(pc.fill_null(vectors.flatten(), np.nan), np.float64)
    largest = np.full(len(lengths), np.nan)
    if len(values):
        starts = (np.cumsum(lengths) - lengths)[lengths > 0]
        largest[lengths > 0] = np.maximum.reduceat(values, starts)
    return pa.array(largest, pa.float64(), from_pandas=True)
