"""Groups of texts that are nearly equal, found online: MinHash, bands of it as an index, one pass in the order of reading.

A text joins the group of the first earlier text with an estimated Jaccard similarity of at least `bound`, else it begins its own. So
a group never depends on later texts: rows that are added do not move the rows before them. Texts are compared by their shingles,
runs of 5 letters and digits in lower case with single spaces between (3 for scripts whose letters are syllables or words); a text
without any has no group.

A signature is a one-permutation MinHash of 128 bins (Li, Owen and Zhang 2012) with optimal densification (Shrivastava 2017), kept
in one byte for each bin (b-bit MinHash, Li and König 2010); its standard error at a similarity of 0.7 is 0.04. The index has 16
bands of 5 bins: of texts with a similarity of 0.7 it finds 95 %, of 0.8 99.8 %. Memory is about 280 bytes for each text that is
remembered, and at most `most` are; later texts can only join groups of those.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.texts.code_points import (
    CodePoints,
    Hashes,
    Integers,
    mix,
    read_column,
)

NEAR = 0.7
"""Default bound of the similarity."""
MOST_TEXTS = 1_000_000
"""Texts that are remembered: at most 280 MB."""
BINS = 128
_BANDS, _BAND_BINS = 16, 5
_SHINGLE, _WIDE_SHINGLE = 5, 3
_MOST_OF_A_BUCKET = 8
"""Earlier texts of one bucket that a text is compared with: of more, they are a template's."""
_BLOCK = 8_192
_ATTEMPTS = 24
_EMPTY = np.uint32(0xFFFFFFFF)
_CHANCE = 1 / 256
"""How often one byte of two different minima is equal."""
_PAIRS = np.int64(1 << 32)
_INDEX = np.uint64(0xFFFFFFFF)
_BITS = np.uint64(32)


class Sketches:
    """MinHash signatures of some texts.

    Attributes:
        signatures: One byte for each bin (uint8 [texts, 128]).
        bands: Keys of the index (uint32 [texts, 16]).
        ids: Hash of each text's letters and digits (uint64 [texts]).
        has: Whether a text has any shingle (bool [texts]).
    """

    def __init__(self, minima: NDArray[np.uint32], ids: Hashes, has: NDArray[np.bool_]) -> None:
        self.signatures = (mix(minima.astype(np.uint64)) & np.uint64(0xFF)).astype(np.uint8)
        self.ids, self.has = ids, has
        banded = minima[:, : _BANDS * _BAND_BINS].reshape(len(minima), _BANDS, _BAND_BINS).astype(np.uint64)
        keys = np.arange(_BANDS, dtype=np.uint64)[None, :] + np.zeros((len(minima), 1), np.uint64)
        for place in range(_BAND_BINS):
            keys = mix(keys * np.uint64(31) + banded[:, :, place])
        self.bands = (keys >> _BITS).astype(np.uint32)


class NearGroups:
    """Assigns groups to texts as they are read.

    Args:
        bound: Estimated Jaccard similarity from which texts are near, above 0 and at most 1.
        most: Texts that are remembered.

    Attributes:
        remembered: Number of texts that later ones are compared with.
        is_full: Whether later texts are no longer remembered.
    """

    def __init__(self, bound: float = NEAR, most: int = MOST_TEXTS) -> None:
        self._fewest = bound * (1 - _CHANCE) * BINS + _CHANCE * BINS
        self._most = most
        self._signatures = np.zeros((0, BINS), np.uint8)
        self._groups = np.zeros(0, np.uint64)
        self._main = np.zeros(0, np.uint64)
        self._recent = np.zeros(0, np.uint64)
        self.remembered = 0
        self.is_full = False

    def add(self, column: pa.Array) -> pa.Array:
        """Return the group of each text of a column (16 hexadecimal digits); null where a text has no letter or digit."""
        parts = [self.add_sketches(sketch(texts)) for _, texts in read_column(column)]
        return pa.chunked_array(parts, pa.string()).combine_chunks() if parts else pa.array([], pa.string())

    def add_sketches(self, sketches: Sketches) -> pa.Array:
        """Return the group of each text, given its signature."""
        groups = np.zeros(len(sketches.ids), np.uint64)
        for start in range(0, len(groups), _BLOCK):
            chosen = start + np.flatnonzero(sketches.has[start : start + _BLOCK])
            groups[chosen] = self._add_block(sketches.signatures[chosen], sketches.bands[chosen], sketches.ids[chosen])
        texts = [f"{group:016x}" for group in groups.tolist()]
        return pa.array(texts, pa.string(), mask=~sketches.has)

    def _add_block(self, signatures: NDArray[np.uint8], bands: NDArray[np.uint32], ids: Hashes) -> Hashes:
        count, known = len(ids), self.remembered
        if not count:
            return ids
        self._reserve(known + count)
        self._signatures[known : known + count], self._groups[known : known + count] = signatures, ids
        own = np.sort(_pack(bands, np.arange(known, known + count)))
        first = np.full(count, known + count, np.int64)
        for index in (self._main, self._recent, own):
            self._search(index, bands, first)
        groups = self._groups
        joins = np.flatnonzero(first < known + np.arange(count))
        for row, earlier in zip(
            joins.tolist(), first[joins].tolist(), strict=True
        ):  # in order, so the earlier one has its group
            groups[known + row] = groups[earlier]
        assigned = groups[known : known + count].copy()
        self._remember(signatures, bands, assigned, first)
        return assigned

    def _reserve(self, count: int) -> None:
        size = len(self._groups)
        if count > size:
            more = min(max(size, _BLOCK), self._most + _BLOCK - size) if size else count
            more = max(more, count - size)
            self._signatures = np.concatenate([self._signatures, np.zeros((more, BINS), np.uint8)])
            self._groups = np.concatenate([self._groups, np.zeros(more, np.uint64)])

    def _search(self, index: Hashes, bands: NDArray[np.uint32], first: Integers) -> None:
        """Lower `first` to the first text in an index that is near, for each text of a block."""
        if not len(index):
            return
        known, count = self.remembered, len(bands)
        keys = _pack(bands, np.zeros(count, np.int64))
        rows = np.repeat(np.arange(count), _BANDS)
        order = np.argsort(keys)
        rows, keys = rows[order], keys[order]
        places = np.searchsorted(index, keys)
        for _ in range(_MOST_OF_A_BUCKET):
            inside = places < len(index)
            rows, keys, places = rows[inside], keys[inside], places[inside]
            found = index[places]
            same = (found >> _BITS) == (keys >> _BITS)
            rows, keys, places, found = rows[same], keys[same], places[same], (found[same] & _INDEX).astype(np.int64)
            sooner = found < np.minimum(first[rows], known + rows)
            rows, keys, places, found = rows[sooner], keys[sooner], places[sooner], found[sooner]
            if not len(rows):
                return
            pairs, inverse = np.unique(rows * _PAIRS + found, return_inverse=True)
            one, other = np.divmod(pairs, _PAIRS)
            near = (self._signatures[known + one] == self._signatures[other]).sum(axis=1) >= self._fewest
            np.minimum.at(first, one[near], other[near])
            go_on = ~near[inverse]
            rows, keys, places = rows[go_on], keys[go_on], places[go_on] + 1

    def _remember(
        self, signatures: NDArray[np.uint8], bands: NDArray[np.uint32], groups: Hashes, first: Integers
    ) -> None:
        """Keep the texts of a block, but those with the signature of the text that they joined."""
        known = self.remembered
        is_new = first == known + len(groups)
        joined = np.flatnonzero(~is_new)
        is_new[joined] = (self._signatures[first[joined]] != signatures[joined]).any(axis=1)
        kept = np.flatnonzero(is_new)
        if known + len(kept) > self._most:
            kept, self.is_full = kept[: self._most - known], True
        total = known + len(kept)
        self._signatures[known:total], self._groups[known:total] = signatures[kept], groups[kept]
        self.remembered = total
        packed = _pack(bands[kept], np.arange(known, total))
        self._recent = np.sort(np.concatenate([self._recent, packed]), kind="stable")
        if len(self._recent) > max(len(self._main) // 4, _BLOCK * _BANDS):
            self._main = np.sort(np.concatenate([self._main, self._recent]), kind="stable")
            self._recent = np.zeros(0, np.uint64)


def sketch(texts: CodePoints) -> Sketches:
    """Compute the signatures of texts."""
    letters, wide = texts.words
    lengths = letters.lengths
    sizes = np.where(wide, _WIDE_SHINGLE, _SHINGLE)
    shingles = np.where(lengths > 0, np.maximum(lengths - sizes + 1, 1), 0)
    owners = np.repeat(np.arange(texts.count), shingles)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(shingles) - shingles, shingles)
    begins = letters.starts[:-1][owners] + within
    ends = np.minimum(begins + sizes[owners], letters.starts[1:][owners])
    hashes = letters.hash_ranges(begins, ends)
    minima = np.full(texts.count * BINS, _EMPTY, np.uint32)
    places = owners * BINS + (hashes >> np.uint64(57)).astype(np.int64)
    np.minimum.at(minima, places, (hashes & np.uint64(0xFFFFFFFE)).astype(np.uint32) >> np.uint32(1))
    ids = letters.hash_ranges(letters.starts[:-1], letters.starts[1:])
    return Sketches(_densify(minima.reshape(texts.count, BINS)), ids, lengths > 0)


def similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Estimate the Jaccard similarity of two texts from their signatures."""
    return max(0.0, float((np.mean(one == other) - _CHANCE) / (1 - _CHANCE)))


def _pack(bands: NDArray[np.uint32], rows: Integers) -> Hashes:
    """Return entries of the index: the key of a band and the number of the text, for each."""
    keys = bands.astype(np.uint64) << _BITS
    return np.asarray((keys | rows.astype(np.uint64)[:, None]).ravel())


def _densify(minima: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Fill each empty bin from another one, chosen by a rule that is the same for all texts."""
    is_empty = minima == _EMPTY
    filled = minima.copy()
    rows, bins = np.nonzero(is_empty & ~is_empty.all(axis=1)[:, None])
    for attempt in range(_ATTEMPTS):
        if not len(rows):
            return filled
        found = minima[rows, _source(attempt)[bins]]
        has = found != _EMPTY
        filled[rows[has], bins[has]] = found[has]
        rows, bins = rows[~has], bins[~has]
    if len(rows):  # of a very short text: the next bin that has a value
        own, inverse = np.unique(rows, return_inverse=True)
        twice = np.tile(is_empty[own], 2)
        places = np.where(twice, 2 * BINS, np.arange(2 * BINS))
        nearest = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1] % BINS
        filled[rows, bins] = minima[rows, nearest[inverse, bins]]
    return filled


@cache
def _source(attempt: int) -> Integers:
    """Return the bin that each empty bin takes its value from at an attempt."""
    codes = np.arange(BINS, dtype=np.uint64) + np.uint64(BINS * attempt)
    return (mix(mix(codes) + np.uint64(attempt)) % np.uint64(BINS)).astype(np.int64)
