"""Which raw columns a fitted pipeline takes: those that no column transformer drops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline


def find_used(estimator: Any, names: list[str]) -> set[str]:
    """Return the columns that a fitted estimator takes; all of them where its kind does not say.

    Args:
        estimator: A fitted estimator, or a word such as `passthrough`.
        names: The columns that it is given.
    """
    if isinstance(estimator, Pipeline):
        return find_used(estimator.steps[0][1], names)
    if isinstance(estimator, FeatureUnion):
        return {name for _, part in estimator.transformer_list for name in find_used(part, names)}
    if isinstance(estimator, ColumnTransformer):
        taken = [columns for _, part, columns in estimator.transformers_ if not _is_drop(part)]
        return {name for columns in taken for name in select_columns(columns, names)}
    return set() if _is_drop(estimator) else set(names)


def _is_drop(estimator: Any) -> bool:
    return isinstance(estimator, str) and estimator == "drop"


def select_columns(columns: Any, names: list[str]) -> list[str]:
    """Return the names of the columns that a column transformer selects by name, number, mask or slice, in its order."""
    frame = pd.DataFrame(columns=names)
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, slice):
        by_name = isinstance(columns.start, str) or isinstance(columns.stop, str)
    else:
        columns = [columns] if isinstance(columns, int | np.integer) else list(columns)
        by_name = any(isinstance(column, str) for column in columns)
    return list((frame.loc if by_name else frame.iloc)[:, columns].columns)
