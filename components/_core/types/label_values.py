"""Conversion of labels in the examples to class indices and targets for models and metrics.

A class is identified by its text, so that 1, 1.0 (where a file has the label as a real number) and "1" are one class.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.types.column_types import to_text

UNKNOWN = -1
"""Index of a label that is missing or not one of the classes."""


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Convert values to the texts that identify classes; a real number that is whole has no decimals."""
    text = to_text(column)
    return pc.replace_substring_regex(text, r"\.0$", "") if pa.types.is_floating(column.type) else text


def class_indices(column: pa.Array | pa.ChunkedArray, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the class index of each label, shape [rows]; `UNKNOWN` where it is missing or not a class."""
    places = pc.index_in(as_text(column), value_set=pa.array(classes, pa.string()))
    return np.asarray(places.fill_null(UNKNOWN).to_numpy(), dtype=np.int64)


def targets(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Return the values of a regression's label, shape [rows], in its own unit; NaN where one is missing."""
    real = column.cast(pa.float64(), safe=False)  # a whole number beyond 2**53 is rounded; validate counts these
    values = real.to_numpy(zero_copy_only=False) if isinstance(real, pa.Array) else real.to_numpy()
    return np.asarray(values, dtype=np.float64)
