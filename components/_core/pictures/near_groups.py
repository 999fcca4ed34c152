"""Groups of pictures that show the same: copies, also encoded again, resized or made a little brighter.

Each picture is compared by a small grey copy (`measures.SKETCH_SIDE`), whose mean and contrast are taken out: two show the same when
their correlation is high. A difference hash of 64 bits, the usual way, calls 1.3 % of all pairs of handwritten digits near duplicates at
the usual distance of 6 and finds 56 % of their altered copies; a correlation of 0.99 calls 0.0004 % so and finds 96 %. A picture
with hardly any contrast, such as a piece of sky, only has equal ones beside it.

A picture joins the group of the earliest one that is like it, or begins its own. So rows that are added later never change a group, and
a chain of small changes does not make one group of all. Only first pictures are kept, in 157 bytes each.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from components._core.pictures.measures import SKETCH_SIDE

CORRELATION = 0.99
LEAST_CONTRAST = 6.0
"""Standard deviation of the small copy, in levels of 255, below which pictures are not compared: noise would decide."""
_SIZE = SKETCH_SIDE**2
_ID_DIGITS = 16
_WAVES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Waves down and across a small copy, the longest ones: pictures differ most along these."""
_RECENT = 1_024
"""First pictures that are looked through one by one, before they are sorted in among the others."""
_KEY_BITS = 12
_NEIGHBOURS = np.array([(0, *others) for others in product((-1, 0, 1), repeat=len(_WAVES) - 1)], np.int64)
"""Steps to the cells around one; those along the first wave have neighbouring keys."""

Sketches = NDArray[np.uint8]


class NearGroups:
    """Assigns pictures to groups, in the order in which they come.

    A first picture is found by its cell: the parts of its small copy along the longest waves, cut into steps so wide that what is
    like it lies in the same or the next cell of each wave.

    Args:
        correlation: Least correlation of two small copies that show the same.
    """

    def __init__(self, correlation: float = CORRELATION) -> None:
        self._correlation = correlation
        # unit vectors whose product is at least c are no further apart than this, so neither are their parts along a wave
        self._width = max(float(np.sqrt(2 * (1 - correlation))), 1e-3)
        self._count = 0
        self._sketches = np.empty((_RECENT, _SIZE), np.uint8)
        self._norms = np.empty(_RECENT, np.float32)
        self._ids = np.empty(_RECENT, f"S{_ID_DIGITS}")
        self._cells = np.empty((_RECENT, len(_WAVES)), np.int16)
        self._sorted_keys, self._sorted = np.empty(0, np.int64), np.empty(0, np.uint32)

    def assign(self, sketches: Sketches, digests: Sequence[str]) -> list[str]:
        """Return the group of each picture: the beginning of the SHA-256 of its first one.

        Args:
            sketches: Luma of the small copies, [pictures, 121].
            digests: SHA-256 of each picture in hexadecimal digits.
        """
        if not len(sketches):
            return []
        levels = sketches.astype(np.float32)
        centred = levels - levels.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(centred, axis=1)
        units = centred / np.maximum(norms[:, None], 1e-6)
        cells = np.floor(units @ _BASIS.T / self._width).astype(np.int16)
        flat = norms / np.sqrt(_SIZE) < LEAST_CONTRAST
        found = []
        for place, digest in enumerate(digests):
            own = digest[:_ID_DIGITS]
            group = own if flat[place] else self._find(units[place], cells[place])
            if not group:
                self._keep(sketches[place], norms[place], cells[place], own)
            found.append(group or own)
        return found

    def _find(self, unit: NDArray[np.float32], cell: NDArray[np.int16]) -> str:
        """Return the group of the earliest picture that is like this one; empty: there is none."""
        candidates = self._candidates(cell)
        if not candidates.size:
            return ""
        # the unit vector has the mean 0, so that the means of the others add nothing
        products = self._sketches[candidates].astype(np.float32) @ unit / self._norms[candidates]
        alike = candidates[products >= self._correlation]
        return self._ids[int(alike.min())].decode() if alike.size else ""

    def _candidates(self, cell: NDArray[np.int16]) -> NDArray[np.int64]:
        """Return the indices of the first pictures in the cells around one."""
        keys = _pack(cell.astype(np.int64) + _NEIGHBOURS)
        starts = np.searchsorted(self._sorted_keys, keys - 1)
        ends = np.searchsorted(self._sorted_keys, keys + 1, side="right")
        full = np.flatnonzero(ends > starts)
        recent = self._cells[len(self._sorted) : self._count]
        near = np.flatnonzero((np.abs(recent - cell) <= 1).all(axis=1)) + len(self._sorted)
        return np.concatenate([*(self._sorted[starts[each] : ends[each]].astype(np.int64) for each in full), near])

    def _keep(self, sketch: Sketches, norm: np.float32, cell: NDArray[np.int16], own: str) -> None:
        place = self._count
        if place == len(self._ids):
            for name in ("_sketches", "_norms", "_ids", "_cells"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.empty_like(old)]))
        self._sketches[place], self._norms[place], self._cells[place] = sketch, norm, cell
        self._ids[place] = own.encode()
        self._count += 1
        if self._count - len(self._sorted) >= _RECENT:
            keys = _pack(self._cells[: self._count].astype(np.int64))
            self._sorted = np.argsort(keys, kind="stable").astype(np.uint32)
            self._sorted_keys = keys[self._sorted]


def _pack(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each cell, [cells], of [cells, waves]."""
    shifts = np.arange(len(_WAVES)) * _KEY_BITS
    packed: NDArray[np.int64] = ((cells + (1 << (_KEY_BITS - 1))) << shifts).sum(axis=1)
    return packed


def _make_basis() -> NDArray[np.float32]:
    """Make the waves of a small copy as unit vectors, [waves, 121]."""
    middles = np.pi * (np.arange(SKETCH_SIDE) + 0.5) / SKETCH_SIDE
    waves = [np.outer(np.cos(down * middles), np.cos(across * middles)).ravel() for down, across in _WAVES]
    basis: NDArray[np.float32] = np.stack([wave / np.linalg.norm(wave) for wave in waves]).astype(np.float32)
    return basis


_BASIS = _make_basis()
