"""The labels of a project by the answers that they name: of several for one answer the latest, as in the join."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa

from components._feedback.columns import labels_schema
from components._feedback.labels import LabelCounts, NoLabelsError, list_files, read_labels
from components._feedback.settings import FeedbackSettings


def read_latest_labels(settings: FeedbackSettings, now: datetime) -> pa.Table:
    """Read all labels that there are: `id`, `row` and `label`, one row for each answer that has one.

    Args:
        settings: Where they are, and what they look like.
        now: The present.

    Raises:
        ConfigError: When the section does not fit the labels.
        DataError: When they cannot be read.
        UnavailableError: When the store does not answer.
    """
    schema = labels_schema(settings.label_type)
    try:
        files = list_files(settings, {}, now)
    except NoLabelsError:
        files = []
    order = {each.file.name: place for place, each in enumerate(files)}
    batches = read_labels(settings, files, order, now, LabelCounts(), {})
    table = pa.Table.from_batches(list(batches), schema=schema)
    keys = [("id", "ascending"), ("row", "ascending"), ("time", "ascending"), ("object", "ascending")]
    table = table.sort_by([*keys, ("place", "ascending")])
    return (
        table.filter(_is_last(table))
        .filter(pa.compute.is_valid(pa.compute.field("label")))
        .select(["id", "row", "label"])
    )


def _is_last(table: pa.Table) -> pa.Array:
    """Return which rows are the last of their key in a sorted table."""
    if not table.num_rows:
        return pa.array([], pa.bool_())
    ids, rows = table["id"].to_numpy(), table["row"].to_numpy()
    differs = (ids[1:] != ids[:-1]) | (rows[1:] != rows[:-1])
    return pa.array(np.append(differs.astype(np.bool_), True))
