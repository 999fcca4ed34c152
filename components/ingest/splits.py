"""Which split a row belongs to: decided by its content alone, so it is the same in every run, order and batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pandas.util import hash_array

from components._core.project import Split

_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0xD6E8FEB86659FD93)


def assign_splits(batch: pa.RecordBatch, split: Split) -> NDArray[Any]:
    """The split of each row: 0 train, 1 eval, 2 test, as int8 [rows].

    Rows that are equal in the hashed columns land together, so a duplicate never stands in train and in test.
    """
    columns = split.by or batch.schema.names
    share = hash_rows(batch, columns) / np.float64(2**64)
    return np.searchsorted([split.train, split.train + split.eval], share, side="right").astype(np.int8)


def hash_rows(batch: pa.RecordBatch, columns: list[str]) -> NDArray[Any]:
    """A well-mixed uint64 [rows] of the values in some columns; their order counts, missing values are values too."""
    total = np.full(batch.num_rows, _MIX, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for name in columns:
            total = (total ^ _hash_column(batch.column(batch.schema.get_field_index(name)))) * _PRIME
            total ^= total >> np.uint64(29)
        total *= _MIX
        return total ^ (total >> np.uint64(32))


def _hash_column(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_string(column.type):
        dictionary = column.dictionary_encode()
        values = hash_array(np.asarray(dictionary.dictionary.to_pylist(), dtype=object), categorize=False)
        values = np.append(values, _MISSING)
        return np.asarray(values[dictionary.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)])
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    hashed = hash_array(np.where(values == 0, values.dtype.type(0), values))  # -0.0 equals 0.0
    return np.where(np.asarray(column.is_null()), _MISSING, hashed)
