"""Find the rows that belong together, as the visits of one patient: split apart, they would leak from training into the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.types.identifier_columns import is_named_group
from pipelines.scaffold.table_profile import Column

_FEWEST_GROUPS = 20
_FEWEST_ROWS = 2.0
_MOST_ROWS = 100.0
_AGREES = 0.9
"""Share of the rows of a group that agree with its first row, from which a column belongs to the group and not to the row ..."""
_BY_CHANCE = 0.7
"""... unless any two rows agree as often as this."""


@dataclass(frozen=True)
class Group:
    """The column whose values group the rows.

    Attributes:
        column: The column's name.
        groups: Number of its distinct values.
        rows: Average number of rows per value.
        agreeing: Columns in which the rows of a group agree; the label may be one.
    """

    column: str
    groups: int
    rows: float
    agreeing: list[str]


def find_group(columns: dict[str, Column], sample: pa.Table, label: str) -> Group | None:
    """Find the column that groups the rows; None when there is none.

    It is named as an identifier, has a few rows for each of many values, and the rows of a value agree in another column.

    Args:
        columns: Column profiles by name.
        sample: Some rows.
        label: The label's column.
    """
    for name, column in columns.items():
        known = column.rows - column.missing
        if name == label or column.type.is_real or column.distinct < _FEWEST_GROUPS or not is_named_group(name):
            continue
        if not _FEWEST_ROWS <= known / column.distinct <= _MOST_ROWS:
            continue
        agreeing = [other for other in columns if other != name and _agrees(sample[name], sample[other])]
        if agreeing:
            return Group(name, column.distinct, known / column.distinct, agreeing)
    return None


def name_group(columns: dict[str, Column], name: str) -> Group:
    """Return the group that the user names."""
    column = columns[name]
    return Group(name, column.distinct, (column.rows - column.missing) / max(column.distinct, 1), [])


def first_of_each(sample: pa.Table, group: Group) -> pa.Table:
    """Take one row of each group: among rows that belong together, one leaks the label of the others."""
    _, first = np.unique(_codes(sample[group.column]), return_index=True)
    return sample.take(pa.array(np.sort(first)))


def _agrees(group: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Whether the rows of a group share a value in another column, while rows of different groups do not."""
    groups, values = _codes(group), _codes(other)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    later = np.ones(len(groups), dtype=bool)
    later[first] = False
    if later.sum() < _FEWEST_GROUPS:
        return False
    agreed = float((values == values[first][inverse])[later].mean())
    by_chance = float(((np.bincount(values) / len(values)) ** 2).sum())
    return agreed >= _AGREES and by_chance <= _BY_CHANCE


def _codes(column: pa.ChunkedArray) -> NDArray[Any]:
    """Encode each distinct value as a number, missing included."""
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded if isinstance(encoded, pa.Array) else encoded.combine_chunks()
    return np.asarray(encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False))
