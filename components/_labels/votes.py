"""The annotations of many items as one matrix: what every statistic of agreement is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""Code of an annotation that is missing."""


@dataclass(frozen=True)
class Votes:
    """Who gave which value to which item.

    Attributes:
        values: The values as texts, in the order of the scale.
        annotators: Names of the annotators.
        codes: Index of the value, by item and annotator; `NONE` where the annotator did not see the item.
        points: Each value as a number, for the interval scale; empty for classes.
    """

    values: tuple[str, ...]
    annotators: tuple[str, ...]
    codes: NDArray[np.int32]
    points: NDArray[np.float64]

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers rather than classes."""
        return self.points.size > 0

    def with_two(self) -> Votes:
        """Return the votes on the items that two annotators or more have seen: only these say anything of agreement."""
        shared = (self.codes != NONE).sum(axis=1) >= 2
        return Votes(self.values, self.annotators, self.codes[shared], self.points)

    def counts(self) -> NDArray[np.float64]:
        """Count the annotations of each value, by item and value."""
        items, _ = self.codes.shape
        rows, columns = np.nonzero(self.codes != NONE)
        places = rows * len(self.values) + self.codes[rows, columns]
        counted = np.bincount(places, minlength=items * len(self.values))
        return counted.reshape(items, len(self.values)).astype(np.float64)


def collect_votes(given: Sequence[Mapping[str, str]], classes: Sequence[str] = ()) -> Votes:
    """Make the matrix of annotations.

    Args:
        given: The value by annotator, for each item.
        classes: Allowed values in the order of the scale; empty: the values are numbers.

    Raises:
        ValueError: When a value is not one of `classes`, or not a number.
    """
    annotators = sorted({name for votes in given for name in votes})
    column = {name: index for index, name in enumerate(annotators)}
    values = list(classes) or sorted({value for votes in given for value in votes.values()}, key=float)
    code = {value: index for index, value in enumerate(values)}
    codes = np.full((len(given), len(annotators)), NONE, np.int32)
    for row, votes in enumerate(given):
        for name, value in votes.items():
            if value not in code:
                raise ValueError(f"{value!r} is not a value of the scale")
            codes[row, column[name]] = code[value]
    points = np.array([] if classes else [float(value) for value in values])
    return Votes(tuple(values), tuple(annotators), codes, points)
