"""Stratified split: a row's hash decides, with the shares of train, eval and test held in each class of the label.

A hash gives each class its shares on average, and a rare class may by chance have no test row. Here a class with few
distinct rows has borders of its own, at the quantiles of its rows' hashes, so that its shares hold exactly; a class with
`MANY` has the configured shares as borders, which its hashes keep within half a percent.

So a row of a frequent class never moves, whatever is added. A row of a rare class moves only when its class grows and its
hash lies between the old and the new border: these approach the configured shares as the class grows. Rows with equal
features are together, unless they have different classes of which one is rare.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples import row_hash
from components._core.examples.hash_split import UNKNOWN, compare, is_rounded, to_fractions
from components._core.examples.split_definition import StratifiedSplit
from components._core.types.label_values import class_indices

MANY = 4_096
"""Distinct rows of a class from which its borders are the configured shares."""


def find_borders(fractions: NDArray[np.float64], train: float, evaluation: float) -> tuple[float, float]:
    """Return where eval and test begin in a class, so that its shares are as near as whole rows allow.

    Each split gets a row if the class has three; of two, one is a test row.

    Args:
        fractions: Distinct fractions of the hashes of a class, ascending.
        train: Share of train.
        evaluation: Share of eval.
    """
    count = len(fractions)
    tests = max(round((1 - train - evaluation) * count), 1) if count > 1 else 0
    evals = max(round(evaluation * count), 1) if count > 2 else 0
    first_test, first_eval = count - tests, count - tests - evals
    return _between(fractions, first_eval), _between(fractions, first_test)


def assign_splits(hashed: pa.RecordBatch, labels: pa.Array, definition: StratifiedSplit) -> NDArray[np.int8]:
    """Return the split of each row: 0 train, 1 eval, 2 test, as int8 [rows].

    Args:
        hashed: Raw cells or typed values of the hashed columns.
        labels: The label of each row.
        definition: The definition of the split.
    """
    fractions = to_fractions(row_hash.hash_rows(hashed, definition.hashed))
    numbers = compare(fractions, definition.train, definition.eval)
    classes = class_indices(labels, tuple(definition.borders))
    for number, borders in enumerate(definition.borders.values()):
        rows = classes == number
        numbers[rows] = np.searchsorted(borders, fractions[rows], side="right")
    return numbers


def reassign_splits(examples: pa.RecordBatch, definition: StratifiedSplit, types: dict[str, str]) -> NDArray[np.int8]:
    """Return the split that another definition gave the rows of today's examples; `UNKNOWN` where it cannot be determined.

    Args:
        examples: Rows with the columns of the definition.
        definition: The other definition.
        types: Not needed: the rule does not depend on types.
    """
    names = examples.schema
    numbers = assign_splits(examples, examples.column(names.get_field_index(definition.label)), definition)
    for name in definition.hashed:
        numbers[is_rounded(examples.column(names.get_field_index(name)))] = UNKNOWN
    return numbers


def _between(fractions: NDArray[np.float64], first: int) -> float:
    """Return a border below the row at a place and above the row before it."""
    count = len(fractions)
    below = float(fractions[first - 1]) if first > 0 else 0.0
    above = float(fractions[first]) if first < count else 1.0
    return (below + above) / 2
