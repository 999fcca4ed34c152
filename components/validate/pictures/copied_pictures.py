"""Find copies among pictures: exact, nearly equal, in two splits, under two labels.

Exact copies have equal digests. Pictures that nearly equal another are in one group of near duplicates, which ingest assigned by
a perceptual hash. The hash alone takes many pictures of few details for one, such as two digits of a kind, so what it puts
together is compared once more: for each picture the closest one of its group by the measured columns, and of these pairs a bounded
number by the pictures themselves, 32 x 32 pixels of luma. Of more pairs a sample is compared, and shares are estimated from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components._core.pictures.thumbnails import luma_grid, same_picture
from components.validate.pictures.measured_pictures import Keys, MeasuredPictures
from components.validate.pictures.picture_bytes import read_cells, row_groups

MOST_COMPARED = 400
"""Maximum number of pairs that are compared by the pictures themselves, for each question."""
_CLOSEST = 200
"""How many of these are the most similar ones; the others are a sample of the rest."""
_MOST_ROW_GROUPS = 48
"""Maximum number of row groups that are read for one question."""
_MOST_PIXELS = 1_000_000_000
"""Pixels of the pictures that are decoded for one question, some five seconds."""
_NEIGHBOURS = 16
"""Pictures of a group that one is compared with by its measures: those of the most similar brightness."""
_SAME_SHAPE = 0.1
"""Difference of the logarithms of two aspects from which pictures are not copies."""
_SEED = 0

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
IsAsked = Callable[[Rows, Rows], Mask]
"""Returns for pairs of rows whether a question is about them."""


@dataclass(frozen=True)
class Copies:
    """Pictures that equal, or nearly equal, another.

    Attributes:
        kind: Kind of finding (`findings.KINDS`).
        pairs: Pairs of rows that were found, the copy first.
        count: Number of such pictures; an estimate where not all pairs that look alike were compared.
        examined: Number of pictures that could be such a copy.
        exact: How many of `count` are exact copies.
        compared: Pairs that were compared by the pictures themselves.
        alike: Pairs that are alike by hash and measures.
    """

    kind: str
    pairs: list[tuple[int, int]]
    count: int
    examined: int
    exact: int
    compared: int = 0
    alike: int = 0

    @property
    def share(self) -> float:
        """Share of such pictures among those examined, 0 to 1."""
        return self.count / self.examined if self.examined else 0.0


@dataclass(frozen=True)
class _Pairs:
    """Pairs of rows that look alike, one for each copy, the most similar first; shape [pairs]."""

    copies: Rows
    originals: Rows

    def __len__(self) -> int:
        return len(self.copies)

    def rows(self) -> tuple[list[int], list[int]]:
        """Return the rows of copies and of originals."""
        return self.copies.tolist(), self.originals.tolist()

    def take(self, places: Rows) -> _Pairs:
        return _Pairs(self.copies[places], self.originals[places])


@dataclass
class CopyFinder:
    """Finds copies; each picture is decoded once at most.

    Attributes:
        pictures: What ingest measured.
        blank: Rows with blank pictures: they equal one another, and mean nothing.
    """

    pictures: MeasuredPictures
    blank: Mask
    _first: Rows = field(init=False)
    _grids: dict[int, NDArray[np.float64] | None] = field(default_factory=dict)
    _row_groups: Rows = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        self._first = _first_of_equal(self.pictures.digest)

    def duplicates(self) -> Copies:
        """Find exact copies: every picture whose bytes equal those of an earlier one."""
        copies = np.flatnonzero(self._first != np.arange(len(self._first)))
        pairs = list(zip(copies.tolist(), self._first[copies].tolist(), strict=True))
        return Copies("duplicate_pictures", pairs, len(copies), len(self.pictures), len(copies))

    def near_duplicates(self) -> Copies:
        """Find pictures that nearly equal another; exact copies are not counted again."""
        pairs = self._closest(self._first == np.arange(len(self._first)), lambda one, other: np.ones(len(one), bool))
        return self._confirmed("near_duplicate_pictures", pairs, [], len(self.pictures))

    def in_two_splits(self) -> Copies:
        """Find pictures of eval and test that equal, or nearly equal, one of another split."""
        split, held_out = self.pictures.split, self.pictures.is_held_out()
        elsewhere = _first_with_other(self.pictures.digest, split)
        exact = np.flatnonzero((elsewhere >= 0) & held_out)
        found = list(zip(exact.tolist(), elsewhere[exact].tolist(), strict=True))
        pairs = self._closest(elsewhere < 0, lambda one, other: split[one] != split[other])
        # of two in eval and test the later one counts, of one in train and another the other
        return self._confirmed("pictures_in_two_splits", pairs, found, int(held_out.sum()))

    def with_two_labels(self, classes: bool) -> Copies:
        """Find pictures that equal, or nearly equal, one with another label.

        Args:
            classes: Whether labels are classes; else nearly equal pictures may well have other values.
        """
        label = self.pictures.label.codes
        labelled = (label >= 0) & ~self.blank
        other = np.full(len(label), -1, np.int64)
        other[labelled] = _first_with_other(self.pictures.digest[labelled], label[labelled])
        known = np.flatnonzero(labelled)
        exact = np.flatnonzero(other >= 0)
        found = [(int(row), int(known[other[row]])) for row in exact]
        pairs = _Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        if classes:
            pairs = self._closest(labelled & (other < 0), lambda one, two: label[one] != label[two])
        return self._confirmed("pictures_with_two_labels", pairs, found, int(labelled.sum()))

    def _closest(self, among: Mask, is_asked: IsAsked) -> _Pairs:
        """Return for each row the most similar one of its group, if a question is about both; the later row is the copy."""
        pictures = self.pictures
        rows = np.flatnonzero(among & ~self.blank & (pictures.group != 0))
        rows = rows[np.lexsort((pictures.numbers["brightness"][rows], pictures.group[rows]))]
        best, partner = np.full(len(pictures), np.inf), np.full(len(pictures), -1, np.int64)
        for shift in range(1, min(_NEIGHBOURS, len(rows) - 1) + 1):
            one, two = rows[:-shift], rows[shift:]
            together = pictures.group[one] == pictures.group[two]
            one, two = one[together], two[together]
            asked = (pictures.digest[one] != pictures.digest[two]) & is_asked(one, two)
            one, two = one[asked], two[asked]
            distance = self._distance(one, two)
            copy, original = np.maximum(one, two), np.minimum(one, two)
            closer = distance < best[copy]
            # of several pairs of one copy the last assignment would win, so the closest is assigned last
            order = np.argsort(-distance[closer], kind="stable")
            best[copy[closer][order]] = distance[closer][order]
            partner[copy[closer][order]] = original[closer][order]
        copies = np.flatnonzero(partner >= 0)
        copies = copies[np.argsort(best[copies], kind="stable")]
        return _Pairs(copies, partner[copies])

    def _distance(self, one: Rows, two: Rows) -> NDArray[np.float64]:
        """Return how different pairs of pictures are by hash and measures; infinite for those of another shape."""
        numbers = self.pictures.numbers
        bits = np.bitwise_xor(self.pictures.hash[one], self.pictures.hash[two])
        distance = np.unpackbits(bits.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1).astype(np.float64)
        for name in ("brightness", "contrast", "colour"):
            distance += np.abs(numbers[name][one] - numbers[name][two])
        aspect = np.log(np.maximum(numbers["width"], 1) / np.maximum(numbers["height"], 1))
        return np.where(np.abs(aspect[one] - aspect[two]) <= _SAME_SHAPE, distance, np.inf)

    def _confirmed(self, kind: str, pairs: _Pairs, exact: list[tuple[int, int]], examined: int) -> Copies:
        """Compare pairs by the pictures themselves, and estimate how many of all are copies."""
        places = np.arange(len(pairs))
        if len(pairs) > MOST_COMPARED:
            others = np.random.default_rng(_SEED).permutation(places[_CLOSEST:])[: MOST_COMPARED - _CLOSEST]
            places = np.concatenate([places[:_CLOSEST], others])
        places = places[self._is_affordable(pairs.take(places))]
        compared = pairs.take(places)
        same = self._compare(compared)
        found = [*exact, *zip(compared.copies[same].tolist(), compared.originals[same].tolist(), strict=True)]
        count = len(exact) + round(_estimate(places, same, len(pairs)))
        return Copies(kind, found, count, examined, len(exact), len(compared), len(pairs))

    def _is_affordable(self, pairs: _Pairs) -> Mask:
        """Return which pairs can be compared without reading too many row groups or decoding too many pixels."""
        if not len(self._row_groups):
            self._row_groups = row_groups(self.pictures)
        numbers = self.pictures.numbers
        affordable, groups, pixels = np.zeros(len(pairs), bool), set[int](), 0.0
        for place, pair in enumerate(zip(pairs.copies.tolist(), pairs.originals.tolist(), strict=True)):
            wider = groups | {int(self._row_groups[row]) for row in pair}
            larger = pixels + sum(numbers["width"][row] * numbers["height"][row] for row in pair)
            if len(wider) <= _MOST_ROW_GROUPS and larger <= _MOST_PIXELS:
                affordable[place], groups, pixels = True, wider, larger
        return affordable

    def _compare(self, pairs: _Pairs) -> Mask:
        """Return which pairs are one picture."""
        needed = {*pairs.copies.tolist(), *pairs.originals.tolist()} - self._grids.keys()
        for row, content in read_cells(self.pictures, needed, self.pictures.column):
            self._grids[row] = luma_grid(content) if isinstance(content, bytes) else None
        return np.array([self._is_same(one, other) for one, other in zip(*pairs.rows(), strict=True)], bool)

    def _is_same(self, one: int, other: int) -> bool:
        grids, numbers = (self._grids.get(one), self._grids.get(other)), self.pictures.numbers
        if grids[0] is None or grids[1] is None:
            return False
        return same_picture(
            grids[0], grids[1], min(numbers["width"][row] * numbers["height"][row] for row in (one, other))
        )


def _estimate(places: Rows, same: Mask, pairs: int) -> float:
    """Estimate how many of all pairs are one picture: the closest ones and the others apart."""
    closest = places < _CLOSEST
    total = 0.0
    for part, size in ((closest, min(pairs, _CLOSEST)), (~closest, max(pairs - _CLOSEST, 0))):
        total += size * float(same[part].mean()) if part.any() else 0.0
    return total


def _first_of_equal(keys: Keys) -> Rows:
    """Return for each row the first row with an equal key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64)


def _first_with_other(keys: Keys, values: NDArray[np.int32]) -> Rows:
    """Return for each row the first row with an equal key and another value; -1: there is none."""
    order = np.lexsort((np.arange(len(keys)), keys))
    first = _first_of_equal(keys)
    found = np.where(values != values[first], first, -1)
    # rows with the value of the first row need the first one of another value
    differing = order[found[order] >= 0]
    _, places = np.unique(keys[differing], return_index=True)
    others = dict(zip(keys[differing][places].tolist(), differing[places].tolist(), strict=True))
    for row in np.flatnonzero(np.isin(keys, keys[differing])).tolist():
        if found[row] < 0:
            found[row] = others[int(keys[row])]
    return np.asarray(found, np.int64)
