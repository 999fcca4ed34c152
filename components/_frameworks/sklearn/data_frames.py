"""The rows as a pipeline takes them: a pandas DataFrame of raw columns.

A column is `float32` with NaN for a missing value, `int64`, or `object` with the empty string for a missing text, as `signature.to_arrays`
makes it for every model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components._frameworks.contract import Arrays
from components._frameworks.transformed_rows import GROUP_ROWS, TransformedRows


def to_frame(arrays: Arrays) -> pd.DataFrame:
    """Make a table of arrays [rows]. Texts stay `object`, whatever the version of pandas would make of them."""
    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in arrays.items()})


def read_rows(rows: TransformedRows) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Read all rows into memory: the table, and the labels."""
    batches = list(rows.batches(GROUP_ROWS))
    arrays = {name: np.concatenate([features[name] for features, _ in batches]) for name in batches[0][0]}
    return to_frame(arrays), np.concatenate([labels for _, labels in batches])
