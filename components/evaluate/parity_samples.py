"""Test rows with the model's answers, by which a served version is checked without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from components._core.examples.artifact import read_head
from components._core.examples.samples import Sample
from components._core.types.column_types import to_feature
from components._core.types.oip_requests import find_missing
from components._core.types.signature import Feature, to_arrays
from components._frameworks.contract import Model

_LOOKED_AT = 5_000
_ROWS = 300
_WITH_GAPS = 60


def take_sample(model: Model, examples: Path) -> Sample | None:
    """Some test rows and what the model answers for them; None when there is no row that it can take."""
    features = model.signature.inputs
    rows = probe_rows(examples, features)
    return Sample(rows, model.predict(to_arrays(rows, features))) if rows.num_rows else None


def probe_rows(examples: Path, features: tuple[Feature, ...]) -> pa.Table:
    """Real test rows in their plain form, the same in every run: some with missing values where the features allow them, and whole ones."""
    head = read_head(examples, "test", _LOOKED_AT, [feature.name for feature in features])
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
    taken = head.take(pa.array(np.sort(np.concatenate([with_gaps, whole]))))
    return pa.table({item.name: to_feature(taken[item.name], item.name, item.type) for item in features})
