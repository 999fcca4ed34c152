"""Count keys that are in two splits, in bounded memory.

A key is a hash. Beyond a maximum number of different hashes only the smallest ones are kept, in every split the same, and
the shares are those of this sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS

MOST_HASHES = 1 << 19
"""Maximum number of distinct hashes kept per split, of all keys together: 16 bytes each."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Overlap:
    """Rows of eval and test whose key is also in another split.

    Attributes:
        column: The identifier that is the key; empty: all features are.
        keys: Number of distinct keys in more than one split.
        rows: Number of eval and test rows with such a key.
        held_out: Number of all eval and test rows.
        kept: Share of the keys that was examined: 1, or less for a very long table.
    """

    column: str
    keys: int
    rows: int
    held_out: int
    kept: float

    @property
    def share(self) -> float:
        """Share of such rows among the rows of eval and test, 0 to 1."""
        return self.rows / self.held_out if self.held_out else 0.0


@dataclass
class KeyCounter:
    """Counts rows by key and split, for the keys with the smallest hashes."""

    most: int = MOST_HASHES
    _limit: int = 2**64 - 1
    _keys: dict[str, Hashes] = field(default_factory=dict)
    _rows: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _waiting: dict[str, list[Hashes]] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, most: int, rows: int) -> KeyCounter:
        """Create a counter for a known number of rows: it keeps a sample from the start, instead of when there are too many."""
        limit = 2**64 - 1
        while rows > most:
            rows, limit = rows // 2, limit // 2
        return cls(most, limit)

    def add(self, split: str, hashes: Hashes) -> None:
        """Count rows of one split by the hashes of their keys."""
        waiting = self._waiting.setdefault(split, [])
        waiting.append(hashes[hashes <= np.uint64(self._limit)])
        if sum(map(len, waiting)) > self.most:
            self._settle(split)

    def overlap(self, column: str) -> Overlap:
        """Return the keys that are in more than one split."""
        for split in SPLITS:
            self._settle(split)
        for split in SPLITS:
            self._trim(split)
        keys, places = np.unique(np.concatenate(list(self._keys.values())), return_counts=True)
        shared = keys[places > 1]
        held_out = [split for split in SPLITS if split != "train"]
        rows = sum(int(self._rows[split][np.isin(self._keys[split], shared)].sum()) for split in held_out)
        total = sum(int(self._rows[split].sum()) for split in held_out)
        return Overlap(column, len(shared), rows, total, (self._limit + 1) / 2**64)

    def _settle(self, split: str) -> None:
        """Merge the pending counts; keep fewer hashes while there are too many."""
        known, counted = self._keys.get(split, np.empty(0, np.uint64)), self._rows.get(split, np.empty(0, np.int64))
        waiting = self._waiting.pop(split, [])
        rows = np.concatenate([counted, *(np.ones(len(part), np.int64) for part in waiting)])
        keys, places = np.unique(np.concatenate([known, *waiting]), return_inverse=True)
        self._keys[split] = keys
        self._rows[split] = np.bincount(places, weights=rows, minlength=len(keys)).astype(np.int64)
        while len(self._keys[split]) > self.most:
            self._limit //= 2
            self._trim(split)

    def _trim(self, split: str) -> None:
        kept = self._keys[split] <= np.uint64(self._limit)
        self._keys[split], self._rows[split] = self._keys[split][kept], self._rows[split][kept]
