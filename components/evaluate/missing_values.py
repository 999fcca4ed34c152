"""The columns whose missing values explain why a model has no number for some rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import read_batches


def missing_columns(examples: Path, names: Sequence[str], places: NDArray[np.int64]) -> list[str]:
    """Return the columns in which some test rows miss a value, if each of these rows misses one; else none.

    Args:
        examples: The examples artifact.
        names: Columns that a model takes.
        places: The rows, by their place in the test split, from 0.
    """
    batches = read_batches(examples, "test", [*names])
    missing = np.concatenate(
        [np.stack([_is_missing(batch[name]) for name in names], axis=1).reshape(-1, len(names)) for batch in batches]
    )[places]
    if not missing.any(axis=1).all():
        return []
    return [name for name, found in zip(names, missing.any(axis=0), strict=True) if found]


def _is_missing(values: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)
    return found
