"""The newest row of a key at or before a time, for a batch of keys and times at once.

The rows are sorted once by key and time; a lookup is a binary search. pandas' `merge_asof` finds the same, but sorts and hashes the
whole second table again for each batch, and pyarrow has `join_asof` only in versions that not every image has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._data.rules.repeated_keys import Hashes

NONE = -1
"""Place of a row that has no match."""

Moments = NDArray[Any]
"""Times as int64 or float64 [rows]; rows of a table without times have the same one."""


class AsOfIndex:
    """The rows of a second table by key and time.

    Attributes:
        order: The rows, sorted by key and then by time (int64 [rows]).
    """

    def __init__(self, keys: Hashes, times: Moments) -> None:
        """Sort the rows.

        Args:
            keys: Hash of each row's key, shape [rows].
            times: Time of each row, shape [rows].
        """
        self.order = np.lexsort((times, keys))
        self._keys, self._starts = np.unique(keys[self.order], return_index=True)
        self._moments = np.unique(times)
        groups = np.repeat(np.arange(len(self._keys)), np.diff(self._starts, append=len(keys)))
        self._places = self._place(groups, np.searchsorted(self._moments, times[self.order], side="right"))

    def find(self, keys: Hashes, times: Moments) -> NDArray[np.int64]:
        """Return the newest row of each key at or before each time; `NONE` where there is no such row.

        Args:
            keys: Hashes of keys, shape [lookups].
            times: Times of the kind of the index's, shape [lookups].
        """
        groups = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        ranks = np.searchsorted(self._moments, times, side="right")
        places = np.searchsorted(self._places, self._place(groups, ranks), side="right") - 1
        found = (self._keys[groups] == keys) & (places >= self._starts[groups])
        return np.where(found, self.order[places], NONE)

    def _place(self, groups: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number that sorts as key and time do: a time's rank is the number of different times up to it."""
        return groups * (len(self._moments) + 1) + ranks
