"""Features that come with the labels, as the log masks them: which, in what types, and what is wrong with their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError
from components._core.project.column_config import ColumnReading
from components._core.types.column_types import to_feature
from components._data.joins.table_joins import TableJoins
from components._feedback.answer_keys import key_texts
from components._feedback.answers import features_of
from components._feedback.columns import FEATURE, Mask
from components._feedback.settings import FeedbackSettings
from components._feedback.typed_values import cast_or_null


def carried_features(settings: FeedbackSettings, masked: Iterable[str]) -> dict[str, pa.DataType]:
    """Return the features that the labels carry, with their types in the log.

    Args:
        settings: The settings.
        masked: Features that rows of the log mask.
    """
    if not settings.has_source:
        return {}
    wanted, types = {*masked, *settings.masked}, features_of(settings)
    return {feature.name: types[feature.name] for feature in settings.signature.inputs if feature.name in wanted}


def readings_of(settings: FeedbackSettings, names: Iterable[str]) -> dict[str, ColumnReading]:
    """Return how the cells of features are read: as in training; a text as it is written, also where it looks like a number."""
    texts = {feature.name for feature in settings.signature.accepted if feature.type.is_text}
    found = {name: ColumnReading(type="identifier") for name in names if name in texts}
    return {**found, **{name: settings.readings[name] for name in names if name in settings.readings}}


def read_features(
    settings: FeedbackSettings, batch: pa.RecordBatch, carried: Mapping[str, pa.DataType]
) -> Iterator[tuple[str, pa.Array, Mask, Mask]]:
    """Yield each carried feature with its values, and where one has another type, and where one is missing that the model needs."""
    features = {feature.name: feature for feature in settings.signature.accepted}
    for name, kind in carried.items():
        column = batch[name]
        values = cast_or_null(to_feature(column, name, features[name].type), kind)
        is_missing = np.asarray(values.is_null(), np.bool_)
        is_bad = is_missing & ~np.asarray(column.is_null(), np.bool_)
        needed = is_missing & ~is_bad if not features[name].nullable else np.zeros(len(values), np.bool_)
        if pa.types.is_floating(kind):
            is_bad |= np.asarray(pc.fill_null(pc.is_inf(values), False), np.bool_)
        yield name, values, is_bad, needed


def label_keys(settings: FeedbackSettings, batch: pa.RecordBatch) -> pa.Array:
    """Return the key of each label, as `feedback.labels.key` says."""
    types = features_of(settings)
    features = {feature.name: feature for feature in settings.signature.accepted}
    return key_texts(
        [cast_or_null(to_feature(batch[name], name, features[name].type), types[name]) for name in settings.labels.key]
    )


def find_unmatched(joins: TableJoins, batch: pa.RecordBatch) -> Mask:
    """Return where a joined table has no row, or none with a value."""
    unmatched = np.zeros(batch.num_rows, np.bool_)
    for join in joins.joins:
        lacking = [np.asarray(batch[name].is_null(), np.bool_) for name in join.types]
        unmatched |= np.logical_and.reduce(lacking)
    return unmatched


def fill_masked(answers: pa.Table, labels: pa.Table) -> pa.Table:
    """Return answers whose masked features have the values that their labels carry.

    Args:
        answers: Answers, see `columns.answers_schema`.
        labels: The label of each of them.
    """
    masked = answers["masked"].combine_chunks()
    names, parents = masked.flatten(), np.asarray(pc.list_parent_indices(masked))
    for column in labels.schema.names:
        if column.startswith(FEATURE):
            is_masked = np.zeros(answers.num_rows, np.bool_)
            is_masked[parents[np.asarray(pc.equal(names, column.removeprefix(FEATURE)), np.bool_)]] = True
            filled = pc.if_else(pa.array(is_masked), labels[column], answers[column])
            answers = answers.set_column(answers.schema.get_field_index(column), answers.schema.field(column), filled)
    return answers


def check_carried(settings: FeedbackSettings, masked: pa.ChunkedArray, carried: Iterable[str]) -> None:
    """Refuse labelled answers of an earlier join that lack a feature of the model, as the settings were others.

    Args:
        settings: The settings.
        masked: Names of the masked features of each answer (lists of texts).
        carried: Features that the labels carry.

    Raises:
        ConfigError: With the feature.
    """
    names = pc.unique(pc.list_flatten(masked)).to_pylist()
    used = {feature.name for feature in settings.signature.inputs}
    if lacking := sorted(used.intersection(names).difference(carried)):
        message = f"the feature {lacking[0]!r} is masked in answers that waited for a label, so a span would lack it"
        raise ConfigError(message, where=settings.log, remedy="set feedback.features to 'from source' again")
