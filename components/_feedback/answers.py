"""Read new objects of the request log as answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
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
from components._feedback.answer_keys import name_answers
from components._feedback.columns import answers_schema
from components._feedback.settings import FeedbackSettings
from components._feedback.typed_values import fits

_SAMPLE = 100_000
"""Scores that the borders of the deciles are taken from."""


@dataclass
class AnswerCounts:
    """What was found in the new objects.

    Attributes:
        log: Counts of the log's reader.
        foreign: Rows of other models, which a log of several projects has; they are left out.
        masked: Rows in which a feature was masked, by its name.
        rows: Rows of this model.
        requests: Their requests.
        shares: Rows by the share with which they were sampled; format 1 does not say it and counts as 1.
        weighted_rows: Estimated number of rows that were answered: each logged one counts 1 / share.
        unfit: Features with a value that the type of their training column does not hold, such as 0.5 in whole numbers.
        scores: A sample of the scores.
    """

    log: LogCounts = field(default_factory=LogCounts)
    foreign: int = 0
    masked: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    requests: int = 0
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


def check_masks(settings: FeedbackSettings, counts: AnswerCounts, carried: Collection[str]) -> None:
    """Refuse rows without the values of a feature that the model uses: a model trained on them would lose it silently.

    Args:
        settings: The settings.
        counts: What was found in the log.
        carried: Features that the labels carry.

    Raises:
        ConfigError: When a feature that the model uses, or that names the answers, was masked in a row.
    """
    used = {feature.name for feature in settings.signature.inputs}
    for name, rows in counts.masked.items():
        if name in settings.labels.key:
            message = f"the feature {name!r} of feedback.labels.key is masked in {rows:,} rows of the request log"
            remedy = "take it out of serve.request_log.mask, set serve.request_log.uri to a new folder, and deploy; or join by id"
            raise ConfigError(message, where=settings.log, remedy=remedy)
        if name in used and name not in carried:
            if name in settings.signature.picture_names:
                message = f"the request log has references of the pictures {name!r} in {rows:,} rows, so a span would lack them"
                remedy = (
                    "set serve.request_log.pictures: keep and serve.request_log.uri to a new folder, and deploy; or set feedback.features to "
                    "'from source', where the labels' source has the pictures"
                )
                raise ConfigError(message, where=settings.log, remedy=remedy)
            message = f"the feature {name!r} is masked in {rows:,} rows of the request log, so a span would lack it"
            remedy = (
                "set feedback.features to 'from source', where the labels' source has it; or take it out of serve.request_log.mask, set "
                "serve.request_log.uri to a new folder, and deploy; or exclude it from the model (data.exclude), and train and deploy"
            )
            raise ConfigError(message, where=settings.log, remedy=remedy)


def _to_answers(
    settings: FeedbackSettings, batch: pa.RecordBatch, schema: pa.Schema, rank: int, place: int
) -> pa.RecordBatch:
    names = [feature.name for feature in settings.signature.accepted]
    inputs = pa.RecordBatch.from_arrays([batch[INPUTS + name] for name in names], names=names)
    fixed = {
        **_keys(settings, batch, inputs),
        "time": batch["time"].cast(pa.int64()),
        "version": batch["version"],
        "share": pc.fill_null(batch["share"], 1.0),
        "score": _score(batch),
        "hash": pa.array(hash_rows(inputs, names), pa.uint64()),
        "rank": pa.array(np.full(batch.num_rows, rank, np.int32)),
        "place": pa.array(np.arange(place, place + batch.num_rows)),
        "masked": batch["masked"],
    }
    if settings.by_class:
        fixed["scores"] = _scores(settings, batch)
    arrays = [*fixed.values(), *inputs.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _keys(settings: FeedbackSettings, batch: pa.RecordBatch, inputs: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return what names each answer: its id and the row's place, or the values of the key."""
    if not settings.labels.key:
        return {"id": batch["id"], "row": batch["row"]}
    columns = [inputs[name] for name in settings.labels.key]
    names = name_answers(columns, batch["id"], batch["row"])
    return {"id": names, "row": pa.array(np.zeros(batch.num_rows, np.int64))}


def _count(settings: FeedbackSettings, batch: pa.RecordBatch, counts: AnswerCounts, *, is_sampled: bool) -> None:
    counts.rows += batch.num_rows
    counts.requests += pc.sum(pc.equal(batch["row"], 0)).as_py() or 0
    for share, rows in _value_counts(pc.fill_null(batch["share"], 1.0)):
        counts.shares[float(share)] += rows
        counts.weighted_rows += rows / share if share else 0.0
    if len(batch["masked"].flatten()):
        for name, rows in _value_counts(batch["masked"].flatten()):
            counts.masked[str(name)] += rows
    for name, wanted in settings.types.items():
        column = batch[INPUTS + name] if INPUTS + name in batch.schema.names else None
        if column is not None and name not in counts.unfit and not fits(column, wanted):
            counts.unfit.add(name)
    if is_sampled and sum(map(len, counts.scores)) < _SAMPLE:
        counts.scores.append(np.asarray(_score(batch).drop_null()))


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
