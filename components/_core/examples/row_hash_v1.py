"""Rule 1 of the split: how a row was hashed until rule 2 (`row_hash.py`). Kept to find the training rows of models of that time.

It hashes the values as examples have them, so a row's split depends on the inferred types and on the order of the
columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0xD6E8FEB86659FD93)


def hash_rows(batch: pa.RecordBatch, columns: Sequence[str]) -> NDArray[Any]:
    """A well-mixed uint64 [rows] of the values in some columns; their order counts, missing values are values too."""
    total = np.full(batch.num_rows, _MIX, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for name in columns:
            total = (total ^ _hash_column(batch.column(batch.schema.get_field_index(name)))) * _PRIME
            total ^= total >> np.uint64(29)
        total *= _MIX
        return total ^ (total >> np.uint64(32))


def _hash_column(column: pa.Array) -> NDArray[Any]:
    from pandas.util import hash_array  # as in row_hash.py

    if pa.types.is_string(column.type):
        dictionary = column.dictionary_encode()
        values = hash_array(np.asarray(dictionary.dictionary.to_pylist(), dtype=object), categorize=False)
        values = np.append(values, _MISSING)
        return np.asarray(values[dictionary.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)])
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    hashed = hash_array(np.where(values == 0, values.dtype.type(0), values))  # -0.0 equals 0.0
    return np.where(np.asarray(column.is_null()), _MISSING, hashed)
