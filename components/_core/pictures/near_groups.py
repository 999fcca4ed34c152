"""Groups of pictures that show the same: copies, also encoded again, resized or made a little brighter.

Each picture is compared by a small grey copy (`measures.SKETCH_SIDE`), whose mean and contrast are taken out: two show the same when
their correlation is high. A difference hash of 64 bits, the usual way, calls 1.3 % of all pairs of handwritten digits near duplicates at
the usual distance of 6 and finds 56 % of their altered copies; a correlation of 0.99 calls 0.0004 % so and finds 63 %, and of
photographs 98 %. A picture
with hardly any contrast, such as a piece of sky, only has equal ones beside it.

A picture joins the group of the earliest one that is like it, or begins its own. So rows that are added later never change a group, and
a chain of small changes does not make one group of all. Only first pictures are kept, in some 200 bytes each.

First pictures are sorted by cells of the two longest waves, so wide that what is like a picture lies in its cell or one beside
it. There a bound rules out nearly all: along 16 waves the copies are compared exactly, and what is left of each can add no more
than the product of its lengths, which makes 17 numbers of each copy, and products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from components._core.pictures.measures import SKETCH_SIDE

CORRELATION = 0.99
LEAST_CONTRAST = 6.0
"""Standard deviation of the small copy, in levels of 255, below which pictures are not compared: noise would decide."""
_SIZE = SKETCH_SIDE**2
_ID_DIGITS = 16
_WAVES = 16
_TILE = 8_192
"""First pictures that are compared at a time: their products stay in the processor's cache."""
_BLOCK = 256
_RECENT = 4_096
"""First pictures that are all looked through, before they are sorted in among the others."""
_KEY_BITS = 16
_SLACK = 1e-4
"""Rounding of float32."""

Sketches = NDArray[np.uint8]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class NearGroups:
    """Assigns pictures to groups, in the order in which they come.

    Args:
        correlation: Least correlation of two small copies that show the same.
    """

    def __init__(self, correlation: float = CORRELATION) -> None:
        self._correlation = correlation
        # unit vectors whose product is at least c are no further apart than this, so neither are their parts along a wave
        self._width = max(float(np.sqrt(2 * (1 - correlation))), 1e-3) * (1 + _SLACK)
        self._count = 0
        self._sketches = np.empty((_BLOCK, _SIZE), np.uint8)
        self._outlines = np.empty((_RECENT + _BLOCK, _WAVES + 1), np.float32)
        self._ids = np.empty(_BLOCK, np.uint64)
        self._keys, self._sorted = np.empty(0, np.int64), np.empty(0, np.uint32)
        self._sorted_outlines = np.empty((0, _WAVES + 1), np.float32)

    def assign(self, sketches: Sketches, digests: Sequence[str]) -> list[str]:
        """Return the group of each picture: the beginning of the SHA-256 of its first one.

        Args:
            sketches: Luma of the small copies, [pictures, 121].
            digests: SHA-256 of each picture in hexadecimal digits.
        """
        ids = np.array([int(digest[:_ID_DIGITS], 16) for digest in digests], np.uint64)
        for start in range(0, len(ids), _BLOCK):
            part = slice(start, start + _BLOCK)
            ids[part] = self._assign(sketches[part], ids[part])
        return [f"{each:016x}" for each in ids.tolist()]

    def _assign(self, sketches: Sketches, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        units, norms = _unit_vectors(sketches)
        outlines = _outlines(units)
        groups = ids.copy()
        shown = np.flatnonzero(norms / np.sqrt(_SIZE) >= LEAST_CONTRAST)
        first = self._find(units[shown], outlines[shown])
        groups[shown[first >= 0]] = self._ids[first[first >= 0]]
        new = shown[first < 0]
        begins = self._separate(units[new], groups, new)
        self._keep(sketches[begins], outlines[begins], ids[begins])
        return groups

    def _find(self, units: Floats, outlines: Floats) -> Rows:
        """Return the earliest first picture that is like each; -1: none."""
        found = np.full(len(units), self._count, np.int64)
        every = np.arange(len(units))
        recent = self._count - len(self._sorted)
        if recent:
            rows, others = self._may_be_alike(outlines, every, self._outlines[:recent])
            self._note(found, units, rows, others + len(self._sorted))
        for rows, start, end in self._ranges(outlines):
            for first in range(start, end, _TILE):
                last = min(first + _TILE, end)
                matched, others = self._may_be_alike(outlines, rows, self._sorted_outlines[first:last])
                self._note(found, units, matched, self._sorted[others + first].astype(np.int64))
        found[found == self._count] = -1
        return found

    def _ranges(self, outlines: Floats) -> Iterator[tuple[Rows, int, int]]:
        """Yield rows with the places, among the sorted first pictures, of those in the cells beside theirs."""
        cells = self._cells(outlines)
        order = np.lexsort(cells.T[::-1])
        changes = np.flatnonzero((np.diff(cells[order], axis=0) != 0).any(axis=1)) + 1
        for rows in np.split(order, changes) if len(order) else []:
            for step in (-1, 0, 1):
                lowest = _pack(cells[rows[:1]] + np.array([step, -1]))[0]
                start, end = np.searchsorted(self._keys, (lowest, lowest + 3))
                if start < end:
                    yield rows, int(start), int(end)

    def _cells(self, outlines: Floats) -> Rows:
        cells: Rows = np.floor(outlines[:, :2] / self._width).astype(np.int64)
        return cells

    def _may_be_alike(self, outlines: Floats, rows: Rows, others: Floats) -> tuple[Rows, Rows]:
        """Return the pairs of rows and of places among others that the bound does not rule out."""
        products = (outlines[rows] @ others.T).ravel()
        places, found = np.divmod(np.flatnonzero(products >= self._correlation - _SLACK), len(others))
        return rows[places], found

    def _note(self, found: Rows, units: Floats, rows: Rows, others: Rows) -> None:
        """Lower `found` of the rows of pairs that are alike to the first picture of the pair."""
        earlier = others < found[rows]
        rows, others = rows[earlier], others[earlier]
        alike = self._are_alike(units, rows, others)
        np.minimum.at(found, rows[alike], others[alike])

    def _are_alike(self, units: Floats, rows: Rows, others: Rows) -> NDArray[np.bool_]:
        alike = np.empty(len(rows), bool)
        for start in range(0, len(rows), _TILE):
            part = slice(start, start + _TILE)
            known, _ = _unit_vectors(self._sketches[others[part]])
            alike[part] = np.einsum("ij,ij->i", units[rows[part]], known) >= self._correlation
        return alike

    def _separate(self, units: Floats, groups: NDArray[np.uint64], rows: Rows) -> Rows:
        """Return which rows of a block begin a group, and write the groups of the others."""
        begins = np.ones(len(rows), bool)
        alike = np.tril(units @ units.T >= self._correlation, -1)
        for row in np.flatnonzero(alike.any(axis=1)).tolist():
            earlier = np.flatnonzero(alike[row] & begins)
            if len(earlier):
                begins[row] = False
                groups[rows[row]] = groups[rows[earlier[0]]]
        first: Rows = rows[begins]
        return first

    def _keep(self, sketches: Sketches, outlines: Floats, ids: NDArray[np.uint64]) -> None:
        total = self._count + len(ids)
        if total > len(self._ids):
            for name in ("_sketches", "_ids"):
                old = getattr(self, name)
                grown = np.empty_like(old, shape=(max(total, len(old) * 3 // 2), *old.shape[1:]))
                grown[: self._count] = old[: self._count]
                setattr(self, name, grown)
        added = slice(self._count, total)
        self._sketches[added], self._ids[added] = sketches, ids
        recent = self._count - len(self._sorted)
        self._outlines[recent : recent + len(ids)] = outlines
        self._count = total
        if total - len(self._sorted) >= _RECENT:
            self._sort()

    def _sort(self) -> None:
        """Sort the recent first pictures in among the others."""
        known = len(self._sorted)
        outlines = self._outlines[: self._count - known]
        keys = _pack(self._cells(outlines))
        order = np.argsort(keys, kind="stable")
        places = np.searchsorted(self._keys, keys[order], side="right")
        self._keys = np.insert(self._keys, places, keys[order])
        self._sorted = np.insert(self._sorted, places, order.astype(np.uint32) + np.uint32(known))
        self._sorted_outlines = np.insert(self._sorted_outlines, places, outlines[order], axis=0)


def _pack(cells: Rows) -> Rows:
    """Return a number for each cell, so that cells beside one another along the second wave follow one another."""
    keys: Rows = (cells[:, 0] << _KEY_BITS) + cells[:, 1]
    return keys


def _unit_vectors(sketches: Sketches) -> tuple[Floats, Floats]:
    """Return small copies with the mean 0 and the length 1, and the lengths that they had."""
    levels = sketches.astype(np.float32)
    levels -= levels.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", levels, levels))
    levels /= np.maximum(norms, 1e-6)[:, None]
    return levels, norms


def _outlines(units: Floats) -> Floats:
    """Return the parts of unit vectors along the waves, and the length of the rest: [pictures, 17].

    The product of two outlines is at least that of the vectors.
    """
    parts = units @ _BASIS.T
    rest = np.sqrt(np.maximum(1 - np.einsum("ij,ij->i", parts, parts), 0))
    outlines: Floats = np.concatenate([parts, rest[:, None]], axis=1).astype(np.float32)
    return outlines


def _make_basis() -> Floats:
    """Make the longest waves of a small copy, down and across, as unit vectors: pictures differ most along these; [waves, 121]."""
    middles = np.pi * (np.arange(SKETCH_SIDE) + 0.5) / SKETCH_SIDE
    steps = [(down, across) for down in range(SKETCH_SIDE) for across in range(SKETCH_SIDE) if down + across]
    longest = sorted(steps, key=lambda step: (step[0] ** 2 + step[1] ** 2, step))[:_WAVES]
    waves = [np.outer(np.cos(down * middles), np.cos(across * middles)).ravel() for down, across in longest]
    basis: Floats = np.stack([wave / np.linalg.norm(wave) for wave in waves]).astype(np.float32)
    return basis


_BASIS = _make_basis()
