"""The split that another definition gave the rows of today's examples: one line for each kind of definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples import given_split, hash_split, stratified_split, time_split
from components._core.examples.split_definition import (
    GivenSplit,
    HashSplit,
    SplitDefinition,
    StratifiedSplit,
    TimeSplit,
)

_REASSIGN: dict[type[Any], Any] = {
    HashSplit: hash_split.reassign_splits,
    TimeSplit: time_split.reassign_splits,
    StratifiedSplit: stratified_split.reassign_splits,
    GivenSplit: given_split.reassign_splits,
}


def reassign_splits(examples: pa.RecordBatch, definition: SplitDefinition, types: dict[str, str]) -> NDArray[np.int8]:
    """Return the split of each row by another definition, as int8 [rows]; `UNKNOWN` where it cannot be determined.

    Args:
        examples: Rows with the columns of the definition.
        definition: The other definition.
        types: Type by column in the examples of that definition.
    """
    return np.asarray(_REASSIGN[type(definition)](examples, definition, types), dtype=np.int8)
