"""The rows as a pipeline takes them: a pandas DataFrame of raw columns, or of what a preprocessing_fn makes of them.

A raw column is `float32` with NaN for a missing value, `int64`, or `object` with the empty string for a missing text, as
`signature.to_arrays` makes it for every model. A transformed feature is `float32` or `int64`; one of k numbers is k columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._frameworks.contract import Arrays
from components._frameworks.transformed_rows import GROUP_ROWS, Column, TransformedRows


def name_columns(columns: Iterable[Column]) -> dict[str, list[str]]:
    """Return the names that the columns of a table have for each feature: its own, and numbered ones for k numbers."""
    columns = tuple(columns)
    taken = {column.name for column in columns if not column.shape}
    named: dict[str, list[str]] = {}
    for column in columns:
        names = [f"{column.name}_{place}" for place in range(column.shape[0])] if column.shape else [column.name]
        while column.shape and not taken.isdisjoint(names):
            names = [f"{name}_" for name in names]
        taken.update(names)
        named[column.name] = names
    return named


def to_frame(arrays: Arrays, columns: tuple[Column, ...]) -> pd.DataFrame:
    """Make a table of arrays [rows] and [rows, k]. Texts stay `object`, whatever the version of pandas would make of them."""
    made: dict[str, pd.Series] = {}
    for feature, names in name_columns(columns).items():
        values = arrays[feature]
        parts = values.T if values.ndim > 1 else [values]
        made |= {name: pd.Series(part, dtype=values.dtype) for name, part in zip(names, parts, strict=True)}
    return pd.DataFrame(made)


_TABLES: WeakKeyDictionary[TransformedRows, tuple[pd.DataFrame, NDArray[Any]]] = WeakKeyDictionary()
"""Tables that were read, for as long as their rows are in use: a search fits many models on the same ones."""


def read_rows(rows: TransformedRows) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Read all rows into memory: the table, and the labels; both are read once, and must not be changed.

    Raises:
        ConfigError: When a feature has several dimensions, which no column of a table holds.
    """
    if rows not in _TABLES:
        _TABLES[rows] = _read(rows)
    return _TABLES[rows]


def _read(rows: TransformedRows) -> tuple[pd.DataFrame, NDArray[Any]]:
    for column in rows.columns:
        if len(column.shape) > 1:
            message = (
                f"{column.name!r} has the shape {list(column.shape)} per row, and a table takes numbers and vectors"
            )
            remedy = "return vectors [rows, k] from preprocessing_fn, or use code.framework: keras"
            raise ConfigError(message, where="code.preprocessing", remedy=remedy)
    batches = list(rows.batches(GROUP_ROWS))
    arrays = {name: np.concatenate([features[name] for features, _ in batches]) for name in batches[0][0]}
    return to_frame(arrays, rows.columns), np.concatenate([labels for _, labels in batches])
