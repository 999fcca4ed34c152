"""Hashed texts of the log as the reference knows them, where the monitor has the key: they are counted as if they were not masked.

A hash cannot be turned back. The known values of the reference are hashed, and compared; a hash of none of them stays as it is, and counts
as a value never seen in training. Numbers have no order as hashes and stay masked, as do hashes of another key.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import TextBins
from components._core.monitoring.reference import MonitoringReference
from components._core.request_log.columns import HASHES, INPUTS
from components._core.request_log.value_hashes import ValueHasher


class HashedValues:
    """Finds the values of hashes.

    Args:
        hasher: With the key of the monitor; None: all that is masked stays masked.
        references: References by version, whose values are known.
    """

    def __init__(self, hasher: ValueHasher | None, references: Mapping[str, MonitoringReference]) -> None:
        self._hasher = hasher
        self._references = references

    @property
    def features(self) -> tuple[str, ...]:
        """Features whose hashes can be compared: texts."""
        return tuple(self._texts) if self._hasher else ()

    def find(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows of the log's reader with the values of its hashes by this key, which are masked no longer.

        Args:
            rows: Rows with a column of hashes for each of `features`.
        """
        for name in self.features:
            hashes = rows[HASHES + name]
            is_own = np.asarray(pc.starts_with(hashes, self._prefix).fill_null(False))
            if is_own.any():
                rows = _replace(rows, name, self._values(name, hashes), is_own)
        return rows

    @property
    def _prefix(self) -> str:
        return self._hasher.prefix if self._hasher else ""

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        """Known values by feature."""
        found: dict[str, set[str]] = {}
        for reference in self._references.values():
            for name, column in reference.features.items():
                if isinstance(column.bins, TextBins):
                    found.setdefault(name, set()).update((*column.bins.top, *column.bins.others))
        return {name: sorted(values) for name, values in found.items()}

    @cached_property
    def _known(self) -> dict[str, tuple[pa.Array, pa.Array]]:
        """Hashes and values by feature; the missing value among them."""
        hasher, found = self._hasher, {}
        for name, texts in self._texts.items() if hasher else ():
            values = [*texts, ""]
            found[name] = (pa.array(hasher.hash(values) if hasher else [], pa.string()), pa.array(values, pa.string()))
        return found

    def _values(self, name: str, hashes: pa.Array) -> pa.Array:
        known, values = self._known[name]
        return pc.coalesce(values.take(pc.index_in(hashes, value_set=known)), hashes)


def _replace(rows: pa.RecordBatch, name: str, values: pa.Array, is_own: NDArray[np.bool_]) -> pa.RecordBatch:
    """Replace the chosen values of a feature, and take it out of what is masked in these rows."""
    column, masked = rows[INPUTS + name], rows["masked"]
    parents = np.asarray(pc.list_parent_indices(masked), np.int64)
    names = masked.flatten()
    kept = ~(np.asarray(pc.equal(names, name)) & is_own[parents])
    lengths = np.bincount(parents[kept], minlength=rows.num_rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    found = dict(zip(rows.schema.names, rows.columns, strict=True))
    found[INPUTS + name] = pc.if_else(pa.array(is_own), values, column.cast(pa.string()))
    found["masked"] = pa.ListArray.from_arrays(offsets, names.filter(pa.array(kept)))
    return pa.RecordBatch.from_arrays([*found.values()], names=[*found])
