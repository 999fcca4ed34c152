"""What the model's server is given: a request that it answers, a row to warm up with, and the ranges of the training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from components._core.examples.artifact import number_ranges, read_head
from components._core.examples.reference_rows import Reference, pick_row, row_of
from components._core.examples.samples import Sample
from components._core.types.feature_types import FLOAT32
from components._core.types.oip_requests import find_missing, to_request
from components._core.types.signature import Feature

_LOOKED_AT = 1_000


def sample_request(examples: Path, features: tuple[Feature, ...]) -> dict[str, Any]:
    """Make a request that the model answers from a real test row: without missing values if there is one, so that it shows every feature.

    With no test row at all it has no inputs.
    """
    head = read_head(examples, "test", _LOOKED_AT, [feature.name for feature in features])
    if not head.num_rows:
        return {"inputs": []}
    gaps = np.logical_or.reduce([find_missing(head[feature.name]) for feature in features])
    return to_request(head.slice(int(gaps.argmin()), 1), features)


def make_reference(
    examples: Path, features: tuple[Feature, ...], sample: Sample | None, request: dict[str, Any]
) -> Reference:
    """Make the reference data from a row of the sample, else of the request, and the training rows."""
    row = pick_row(sample, features) if sample else {}
    found = number_ranges(examples, "train", [feature.name for feature in features if not feature.type.is_text])
    ranges = {name: (_in_a_model(low), _in_a_model(high)) for name, (low, high) in found.items()}
    return Reference(row or row_of(request), ranges)


def _in_a_model(number: float) -> float:
    """Return a number as a model sees it, with which a served value is compared."""
    return float(FLOAT32.numpy.type(number)) if isinstance(number, float) else int(number)
