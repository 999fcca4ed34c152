"""The tables of the join, as Arrow schemas. Times are microseconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FEATURE = "f."
"""Prefix of a feature's column among the answers."""
NO_TIME = np.iinfo(np.int64).min
"""Time of a label that has none: earlier than any other."""

IN_SPAN, CLOSED, CONFLICTING, EXPIRED = range(4)
"""What became of a key: its row is in a span; an empty label closed it; its inputs differed; no label came while it was kept."""

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def answers_schema(features: dict[str, pa.DataType], *, by_class: bool = False) -> pa.Schema:
    """One row for each answered row.

    `rank` is the place of its object among the new ones by name, -1 for one of an earlier join; `place` its row in the object.
    `hash` is of its inputs: equal for inputs that a model cannot tell apart. `score` is the probability or value that was answered;
    `scores` those of each class, where the task has them (`by_class`). `masked` names the features that the log masks.
    """
    fixed = [
        ("id", pa.string()),
        ("row", pa.int64()),
        ("time", pa.int64()),
        ("version", pa.string()),
        ("share", pa.float64()),
        ("score", pa.float64()),
        ("hash", pa.uint64()),
        ("rank", pa.int32()),
        ("place", pa.int64()),
        ("masked", pa.list_(pa.string())),
        *([("scores", pa.list_(pa.float64()))] if by_class else []),
    ]
    return pa.schema([*fixed, *((FEATURE + name, kind) for name, kind in features.items())])


def labels_schema(label: pa.DataType, carried: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """One row for each label, with the features that it carries, which the log masks.

    `object` is the place of its file among all by name, `place` its row in the file, `seen` when it was there at the latest.
    `is_judged`: it counted as unknown before.
    """
    return pa.schema(
        [
            ("id", pa.string()),
            ("row", pa.int64()),
            ("label", label),
            ("time", pa.int64()),
            ("object", pa.int32()),
            ("place", pa.int64()),
            ("seen", pa.int64()),
            ("is_judged", pa.bool_()),
            *((FEATURE + name, kind) for name, kind in (carried or {}).items()),
        ]
    )


def done_schema(label: pa.DataType) -> pa.Schema:
    """One row for each key that is done: what became of it, the label that counted, and where its row is."""
    return pa.schema(
        [
            ("id", pa.string()),
            ("row", pa.int64()),
            ("hash", pa.uint64()),
            ("status", pa.int8()),
            ("span", pa.int64()),
            ("position", pa.int64()),
            ("label", label),
            ("time", pa.int64()),
            ("object", pa.int32()),
        ]
    )


def numbers(table: pa.Table, name: str) -> Ints:
    """Return a column without missing values as a vector."""
    return np.asarray(table[name].combine_chunks().to_numpy(zero_copy_only=False) if table.num_rows else [], np.int64)
