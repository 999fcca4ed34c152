"""Split by hash: a row's content alone decides its split, so it is the same in every run, order and batch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples import row_hash, row_hash_v1
from components._core.examples.split_definition import HashSplit
from components._core.project.split_config import Split
from components._core.types.feature_types import FEATURE_TYPES, first_inexact

RULE = 2
"""The current rule, defined in `row_hash.py`."""
UNKNOWN = -1
"""Stands for a split that cannot be determined."""


def define_split(split: Split, features: Collection[str]) -> HashSplit:
    """Define the split of a table's rows: by `data.split.by`, else by the features.

    Identifiers that the model does not see and the label do not count: rows with equal features go to the same split.

    Args:
        split: The project's `data.split` section.
        features: The columns of the source without the label and the excluded ones.
    """
    chosen = set(split.hashed_columns or features)
    return HashSplit(RULE, tuple(sorted(chosen)), bool(split.hashed_columns), split.train, split.eval, split.test)


def define_split_v1(split: Split, columns: Collection[str]) -> HashSplit:
    """Define the split by rule 1: by `data.split.by`, else by the whole row with its label, columns in the order of the source."""
    return HashSplit(1, tuple(split.by or columns), bool(split.by), split.train, split.eval, split.test)


def assign_splits(rows: pa.RecordBatch, definition: HashSplit) -> NDArray[np.int8]:
    """Return the split of each row: 0 train, 1 eval, 2 test, as int8 [rows].

    Args:
        rows: For rule 2 raw cells or typed values, for rule 1 the examples as they were; with the columns of the
            definition.
        definition: The definition of the split.
    """
    hashed = (row_hash_v1 if definition.rule == 1 else row_hash).hash_rows(rows, definition.columns)
    return compare(to_fractions(hashed), definition.train, definition.eval)


def to_fractions(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return hashes as numbers from 0 to 1, float64 [rows]: the place of a row among all that there could be."""
    return np.asarray(hashes / np.float64(2**64))


def compare(fractions: NDArray[np.float64], train: float, evaluation: float) -> NDArray[np.int8]:
    """Return the split of each row by the fraction of its hash, for the shares of train and eval."""
    return np.asarray(np.searchsorted([train, train + evaluation], fractions, side="right"), dtype=np.int8)


def reassign_splits(examples: pa.RecordBatch, definition: HashSplit, types: dict[str, str]) -> NDArray[np.int8]:
    """Return the split that another definition gave the rows of today's examples; `UNKNOWN` where it cannot be determined.

    Args:
        examples: Rows with the columns of the definition.
        definition: The other definition.
        types: Type by column in the examples of that definition; only rule 1 depends on it.
    """
    if not definition.columns:
        return np.full(examples.num_rows, UNKNOWN, dtype=np.int8)
    unknown = np.zeros(examples.num_rows, dtype=bool)
    columns = []
    for name in definition.columns:
        column = examples.column(examples.schema.get_field_index(name))
        if definition.rule == 1:
            column, lost = _cast_to_former_type(column, types[name])
        else:
            lost = is_rounded(column)
        columns.append(column)
        unknown |= lost
    rows = pa.RecordBatch.from_arrays(columns, names=list(definition.columns))
    return np.where(unknown, np.int8(UNKNOWN), assign_splits(rows, definition))


def is_rounded(column: pa.Array) -> NDArray[np.bool_]:
    """Return where the cell may have been a whole number that the column's type cannot represent."""
    if not pa.types.is_floating(column.type):
        return np.zeros(len(column), dtype=bool)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray(np.abs(values) >= first_inexact(values.dtype))


def _cast_to_former_type(column: pa.Array, kind: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return a column in its former type, and where its values in that type are unknown."""
    known = FEATURE_TYPES[kind]
    wanted = known.arrow
    if column.type == wanted:
        return column, np.zeros(len(column), dtype=bool)
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if known.is_text or not is_number:  # how a number was written is not kept
        return pa.nulls(len(column), wanted), np.asarray(column.is_valid())
    if known.is_real:
        return column.cast(wanted, safe=False), np.zeros(len(column), dtype=bool)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    lost = (np.abs(values) >= first_inexact(values.dtype)) | (np.floor(values) != values)
    whole = np.where(lost, 0, values).astype(np.int64)
    return pa.array(whole, mask=np.asarray(column.is_null())), lost
