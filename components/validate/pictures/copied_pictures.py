"""Find copies among pictures: exact, nearly equal, in two splits, under two labels.

Exact copies have equal digests. Pictures that show the same have one group, which ingest assigned by a small grey copy of each
(`components/_core/pictures/near_groups.py`); the pictures themselves are not read again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.validate.pictures.measured_pictures import Codes, Keys, MeasuredPictures

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Copies:
    """Pictures that equal, or nearly equal, another.

    Attributes:
        kind: Kind of finding (`findings.KINDS`).
        pairs: Rows of the copies and of what they copy, shape [copies, 2].
        examined: Number of pictures that could be such a copy.
        exact: How many of the copies are exact.
        shown: Number of different pictures that they show.
    """

    kind: str
    pairs: Rows
    examined: int
    exact: int
    shown: int

    @property
    def count(self) -> int:
        """Number of copies."""
        return len(self.pairs)

    @property
    def share(self) -> float:
        """Share of such pictures among those examined, 0 to 1."""
        return self.count / self.examined if self.examined else 0.0


def find_copies(pictures: MeasuredPictures, blank: Mask, classes: bool) -> tuple[Copies, Copies, Copies, Copies]:
    """Find duplicates, near duplicates, pictures in two splits and pictures with two labels.

    Args:
        pictures: What ingest measured.
        blank: Which pictures are blank: one under two labels is no contradiction.
        classes: Whether labels are classes; of quantities, nearly equal pictures may well have different ones.
    """
    return (
        _duplicates(pictures),
        _near_duplicates(pictures),
        _in_two_splits(pictures),
        _with_two_labels(pictures, blank, classes),
    )


def _duplicates(pictures: MeasuredPictures) -> Copies:
    """Find every picture whose bytes equal those of an earlier one."""
    first = _first_of_equal(pictures.digest)
    copies = np.flatnonzero(first != np.arange(len(first)))
    return _copies("duplicate_pictures", pictures, _pairs(copies, first), len(pictures), len(copies))


def _near_duplicates(pictures: MeasuredPictures) -> Copies:
    """Find every picture that shows what an earlier one shows; exact copies are not counted again."""
    first = _first_of_equal(_group_keys(pictures))
    is_copy = (first != np.arange(len(first))) & (_first_of_equal(pictures.digest) == np.arange(len(first)))
    return _copies("near_duplicate_pictures", pictures, _pairs(np.flatnonzero(is_copy), first), len(pictures), 0)


def _in_two_splits(pictures: MeasuredPictures) -> Copies:
    """Find pictures of eval and test that equal, or nearly equal, one of another split."""
    held_out = pictures.split > 0
    other = _first_with_other(_group_keys(pictures), pictures.split)
    exact = (_first_with_other(pictures.digest, pictures.split) >= 0) & held_out
    pairs = _pairs(np.flatnonzero((other >= 0) & held_out), other)
    return _copies("pictures_in_two_splits", pictures, pairs, int(held_out.sum()), int(exact.sum()))


def _with_two_labels(pictures: MeasuredPictures, blank: Mask, classes: bool) -> Copies:
    """Find pictures that equal, or nearly equal, one with another label."""
    known = np.flatnonzero((pictures.label.codes >= 0) & ~blank)
    labels, keys = pictures.label.codes[known], _group_keys(pictures) if classes else pictures.digest
    other = _first_with_other(keys[known], labels)
    exact = _first_with_other(pictures.digest[known], labels) >= 0
    found = _pairs(np.flatnonzero(other >= 0), other)
    return _copies("pictures_with_two_labels", pictures, known[found].reshape(-1, 2), len(known), int(exact.sum()))


def _copies(kind: str, pictures: MeasuredPictures, pairs: Rows, examined: int, exact: int) -> Copies:
    shown = len(np.unique(_group_keys(pictures)[pairs[:, 0]]))
    return Copies(kind, pairs, examined, exact, shown)


def _group_keys(pictures: MeasuredPictures) -> Keys:
    """Return the group of each picture; one without a group is a group by its content."""
    return np.where(pictures.group == 0, pictures.digest, pictures.group)


def _pairs(copies: Rows, originals: Rows) -> Rows:
    return np.stack([copies, originals[copies]], axis=1)


def _first_of_equal(keys: Keys) -> Rows:
    """Return for each row the first row with an equal key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64)


def _first_with_other(keys: Keys, values: Codes) -> Rows:
    """Return for each row the first row with an equal key and another value; -1: there is none."""
    first = _first_of_equal(keys)
    differing = np.flatnonzero(values != values[first])
    # of the rows with the value of the first one, the first row with another value
    second = np.full(len(keys), -1, np.int64)
    _, places = np.unique(first[differing], return_index=True)
    second[first[differing][places]] = differing[places]
    return np.asarray(np.where(values != values[first], first, second[first]), np.int64)
