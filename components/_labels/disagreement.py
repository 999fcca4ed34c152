"""Where annotators disagree: which values they confuse, and how far each is from the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from components._labels.votes import NONE, Votes


@dataclass(frozen=True)
class ConfusedPair:
    """Two values that annotators give to the same item.

    Attributes:
        one: The value that is earlier in the scale.
        other: The later one.
        pairs: How often two annotators gave these two values to one item.
        share: These among all pairs of annotations of an item that has one of the two values.
    """

    one: str
    other: str
    pairs: int
    share: float


@dataclass(frozen=True)
class AnnotatorRecord:
    """One annotator, compared with the majority of the others on the same items.

    Attributes:
        name: The annotator.
        annotations: Number of annotations.
        compared: Items on which the others have a majority.
        agreed: Items of these with the same value.
        most_confused: The most frequent difference, as (own value, value of the others); None: there is none.
        off_by: Mean difference from the others' mean, in the label's unit; None for classes.
    """

    name: str
    annotations: int
    compared: int
    agreed: int
    most_confused: tuple[str, str] | None = None
    off_by: float | None = None

    @property
    def share(self) -> float | None:
        """Share of the compared items with the same value; None without any."""
        return self.agreed / self.compared if self.compared else None


def find_confused(votes: Votes) -> list[ConfusedPair]:
    """Count the pairs of different values that annotators give to one item, the most frequent first."""
    counts = votes.with_two().counts()
    together = counts.T @ counts
    same = ((counts * (counts - 1)) / 2).sum(axis=0)
    differing = together.sum(axis=1) - np.diag(together)
    found = []
    for one, other in zip(*np.nonzero(np.triu(together, 1)), strict=True):
        pairs = together[one, other]
        whole = same[one] + same[other] + differing[one] + differing[other] - pairs
        found.append(ConfusedPair(votes.values[one], votes.values[other], int(pairs), float(pairs / whole)))
    return sorted(found, key=lambda pair: (-pair.pairs, pair.one, pair.other))


def compare_annotators(votes: Votes) -> list[AnnotatorRecord]:
    """Compare each annotator with the others, in the order of the names.

    An annotator's own annotation has no part in the consensus: among few it would agree with itself. An item on which the others
    are divided, with no value ahead, is left out. Numbers are compared with the mean of the others: `agreed` counts equal ones.
    """
    compare = _compare_number if votes.is_numeric else _compare_class
    return [compare(votes, index) for index in range(len(votes.annotators))]


def _compare_class(votes: Votes, index: int) -> AnnotatorRecord:
    own = votes.codes[:, index]
    counts = votes.counts()
    seen = np.nonzero(own != NONE)[0]
    counts[seen, own[seen]] -= 1
    best = counts.max(axis=1, initial=0)
    decided = (own != NONE) & (best > 0) & ((counts == best[:, None]).sum(axis=1) == 1)
    majority = counts.argmax(axis=1) if counts.size else np.zeros(len(own), np.int64)
    pairs = Counter(
        (int(mine), int(theirs)) for mine, theirs in zip(own[decided], majority[decided], strict=True) if mine != theirs
    )
    compared = int(decided.sum())
    most = min(pairs, key=lambda pair: (-pairs[pair], pair)) if pairs else None
    confused = None if most is None else (votes.values[most[0]], votes.values[most[1]])
    return AnnotatorRecord(votes.annotators[index], len(seen), compared, compared - pairs.total(), confused)


def _compare_number(votes: Votes, index: int) -> AnnotatorRecord:
    given = votes.codes != NONE
    numbers = np.where(given, votes.points[np.maximum(votes.codes, 0)], 0.0)
    others = given.sum(axis=1) - given[:, index]
    compared = given[:, index] & (others > 0)
    mean = (numbers.sum(axis=1) - numbers[:, index])[compared] / others[compared]
    off = numbers[compared, index] - mean
    return AnnotatorRecord(
        votes.annotators[index],
        int(given[:, index].sum()),
        int(compared.sum()),
        int((off == 0).sum()),
        off_by=float(off.mean()) if off.size else None,
    )
