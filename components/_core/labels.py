"""Labels as they stand in the examples, turned into what models and metrics count with.

A class is known by its text, so that 1, 1.0 (a column in which values are missing is read as float32) and "1" are one class.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNKNOWN = -1
"""The index of a label that is missing or is none of the classes."""


def class_text(value: str | float) -> str:
    """The text by which a class is known: whole numbers without a fraction, others as short as float32 tells them apart."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(np.float32(value))
    return str(value)


def class_indices(column: pa.Array | pa.ChunkedArray, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """The place of each label among the classes, shape [rows]; `UNKNOWN` where it is missing or none of them."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole.dictionary_encode()
    place = {name: index for index, name in enumerate(classes)}
    known = [place.get(class_text(value), UNKNOWN) for value in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    indices: NDArray[np.int64] = np.asarray([*known, UNKNOWN], dtype=np.int64)[codes.astype(np.int64)]
    return indices


def targets(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """The numbers of a regression's label, shape [rows], in its own unit; NaN where one is missing."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
