"""Test rows with the model's answers, by which a served version is checked without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import read_head
from components._core.examples.samples import Sample
from components._core.types.column_types import to_feature
from components._core.types.oip_requests import find_missing
from components._core.types.signature import Feature, to_arrays
from components._frameworks.contract import Model

_LOOKED_AT = 5_000
_ROWS = 300
_WITH_GAPS = 60
_LOOKED_AT_PICTURES = 300
_PICTURE_BYTES = 6 << 20
"""Pictures of all rows together: a server is sent most of them in one request, whose body is base64 and has a bound."""


def take_sample(model: Model, examples: Path) -> Sample | None:
    """Some test rows and what the model answers for them; None when there is no row that it can take."""
    features = model.signature.inputs
    rows = probe_rows(examples, features)
    return Sample(rows, model.predict(to_arrays(rows, features))) if rows.num_rows else None


def probe_rows(examples: Path, features: tuple[Feature, ...]) -> pa.Table:
    """Real test rows in their plain form, the same in every run: some with missing values where the features allow them, and whole ones."""
    pictures = [feature.name for feature in features if feature.is_picture]
    looked_at = _LOOKED_AT_PICTURES if pictures else _LOOKED_AT
    head = read_head(examples, "test", looked_at, [feature.name for feature in features])
    if not head.num_rows:
        return head
    gaps = np.zeros(head.num_rows, dtype=bool)
    refused = np.zeros(head.num_rows, dtype=bool)
    for feature in features:
        missing = find_missing(head[feature.name])
        gaps |= missing
        refused |= missing & (not feature.nullable)
    with_gaps = np.flatnonzero(gaps & ~refused)[:_WITH_GAPS]
    whole = np.flatnonzero(~gaps)[: _ROWS - len(with_gaps)]
    places = np.sort(np.concatenate([with_gaps, whole]))
    taken = head.take(pa.array(places[: _fitting(head, places, pictures)]))
    return pa.table({item.name: to_feature(taken[item.name], item.name, item.type) for item in features})


def _fitting(rows: pa.Table, places: NDArray[np.int64], pictures: list[str]) -> int:
    """Return how many of the first places have pictures that are not too large together; at least one."""
    if not pictures or not len(places):
        return len(places)
    lengths = [pc.fill_null(pc.binary_length(rows[name].take(pa.array(places))), 0) for name in pictures]
    total = np.cumsum(sum(np.asarray(length, np.int64) for length in lengths))
    return max(1, int(np.searchsorted(total, _PICTURE_BYTES, side="right")))
