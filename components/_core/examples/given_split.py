"""A split that the source gives: in a column, or by the folder or name of a file.

Where the source has no eval rows, a hash of the features takes them out of the given train rows, so that a row's split
does not depend on other rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples import row_hash
from components._core.examples.artifact import SPLITS
from components._core.examples.hash_split import UNKNOWN, is_rounded, to_fractions
from components._core.examples.split_definition import GivenSplit
from components._core.types.label_values import as_text

WORDS = {
    "train": ("train", "training"),
    "eval": ("eval", "evaluation", "validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Names of the splits where the project has no `values`, in lower case."""


def normalize(text: str) -> str:
    """Return a name of a split as it is compared: without blanks around it, in lower case."""
    return text.strip().casefold()


def assign_splits(names: pa.Array, hashed: pa.RecordBatch, definition: GivenSplit) -> NDArray[np.int8]:
    """Return the split of each row: 0 train, 1 eval, 2 test, as int8 [rows]; `UNKNOWN` where it has no known name.

    Args:
        names: The name of each row's split.
        hashed: Raw cells or typed values of the hashed columns.
        definition: The definition of the split.
    """
    texts = as_text(names).dictionary_encode()
    known = [definition.values.get(normalize(text or ""), "") for text in texts.dictionary.to_pylist()]
    numbers = np.array([SPLITS.index(split) if split else UNKNOWN for split in known] + [UNKNOWN], dtype=np.int8)
    codes = texts.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    return take_eval(numbers[codes], hashed, definition)


def take_eval(given: NDArray[np.int8], hashed: pa.RecordBatch, definition: GivenSplit) -> NDArray[np.int8]:
    """Take eval rows out of train, where the source gives none; returns the split of each row."""
    if not definition.eval_share:
        return given
    fractions = to_fractions(row_hash.hash_rows(hashed, definition.hashed))
    is_eval = (given == SPLITS.index("train")) & (fractions >= 1 - definition.eval_share)
    return np.where(is_eval, np.int8(SPLITS.index("eval")), given)


def reassign_splits(examples: pa.RecordBatch, definition: GivenSplit, types: dict[str, str]) -> NDArray[np.int8]:
    """Return the split that another definition gave the rows of today's examples; `UNKNOWN` where it cannot be determined.

    Args:
        examples: Rows with the columns of the definition.
        definition: The other definition; of one by folders nothing is known.
        types: Not needed: the rule does not depend on types.
    """
    if not definition.column:
        return np.full(examples.num_rows, UNKNOWN, dtype=np.int8)
    index = examples.schema.get_field_index
    numbers = assign_splits(examples.column(index(definition.column)), examples, definition)
    for name in definition.hashed:
        numbers[is_rounded(examples.column(index(name))) & (numbers != SPLITS.index("test"))] = UNKNOWN
    return numbers
