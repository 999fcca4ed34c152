"""Rows whose key an earlier row had, found in one pass over a table: 8 bytes of memory for each different key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.types.column_types import BOOL, to_text

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0xD6E8FEB86659FD93)


class SeenKeys:
    """The different keys seen so far, as 64-bit hashes. Two of 10 million keys share one by chance in 1 of 400,000 tables.

    Attributes:
        kept: Number of keys that are kept.
        is_full: Whether there were more different keys than `most`; the further ones are not kept, so that their repeats
            are not found.
    """

    def __init__(self, most: int) -> None:
        """Create it for `most` different keys."""
        self.most = most
        self.kept = 0
        self.is_full = False
        self._parts: list[Hashes] = []  # sorted, each at least twice as long as the next

    def add(self, hashes: Hashes) -> Mask:
        """Add the keys of some rows; returns which of them an earlier row had (bool [rows])."""
        keys, first = np.unique(hashes, return_index=True)
        known = np.zeros(len(keys), dtype=np.bool_)
        for part in self._parts:  # sorted keys are found many times faster than keys in any order
            places = np.minimum(np.searchsorted(part, keys), len(part) - 1)
            known |= part[places] == keys
        self._keep(keys[~known])
        repeated = np.ones(len(hashes), dtype=np.bool_)
        repeated[first[~known]] = False
        return repeated

    def _keep(self, new: Hashes) -> None:
        room = self.most - self.kept
        self.is_full = self.is_full or len(new) > room
        if not len(new[:room]):
            return
        self._parts.append(new[:room])
        self.kept += len(new[:room])
        while len(self._parts) > 1 and len(self._parts[-2]) < 2 * len(self._parts[-1]):
            shorter, longer = self._parts.pop(), self._parts.pop()
            self._parts.append(np.sort(np.concatenate([longer, shorter]), kind="stable"))


def hash_keys(batch: pa.RecordBatch, columns: Sequence[str]) -> tuple[Hashes, Mask]:
    """Hash each row by the exact values of some columns; the hash of a split does not tell all real numbers apart.

    Args:
        batch: Rows in the types of examples.
        columns: The columns that count, in order.

    Returns:
        The hashes, and where one of the columns has no value; shape [rows] each.
    """
    total = np.zeros(batch.num_rows, dtype=np.uint64)
    missing = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in columns:
        column = batch.column(batch.schema.get_field_index(name))
        with np.errstate(over="ignore"):
            total = _hash_array(total * _FACTOR + _hash_cells(column))
        missing |= np.asarray(column.is_null())
    return total, missing


def _hash_cells(column: pa.Array) -> Hashes:
    kind = column.type
    if pa.types.is_floating(kind):
        reals = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        hashes = np.asarray(_hash_array((reals + 0.0).view(np.uint64)))  # -0.0 + 0.0 is 0.0
    elif pa.types.is_integer(kind) or BOOL.is_arrow(kind) or pa.types.is_timestamp(kind):
        whole = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        hashes = np.asarray(_hash_array(whole.view(np.uint64)))
    else:
        return _hash_texts(to_text(column))
    hashes[np.asarray(column.is_null())] = _MISSING
    return hashes


def _hash_texts(texts: pa.Array) -> Hashes:
    encoded = texts if pa.types.is_dictionary(texts.type) else pc.dictionary_encode(texts)
    words = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    hashes = np.append(_hash_array(words, categorize=False) if len(words) else np.empty(0, np.uint64), _MISSING)
    return np.asarray(hashes[encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)])


def _hash_array(values: np.ndarray[Any, Any], *, categorize: bool = True) -> Hashes:
    from pandas.util import hash_array  # naru-light reads labels, whose tables may have joins, and has no pandas

    return np.asarray(hash_array(values, categorize=categorize))
