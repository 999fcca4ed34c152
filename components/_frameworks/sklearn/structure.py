"""How much a fitted pipeline goes by each column that it is given, as its last step says: gain of trees, coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder

from components._frameworks.contract import StructureImportance
from components._frameworks.sklearn.boosted_trees import is_boosted, read_trees
from components._frameworks.sklearn.design_matrix import DesignMatrix
from components._frameworks.sklearn.native_columns import NativeColumns
from components._frameworks.sklearn.used_columns import select_columns

_ROWS = 10_000
_SAME_NAMES = (NativeColumns, OneToOneFeatureMixin)
Owners = list[str]


def measure_structure(pipeline: Pipeline, rows: pd.DataFrame, *, raw: bool) -> StructureImportance | None:
    """Sum what the last step says of its inputs by the column that they are made of.

    Args:
        pipeline: The fitted pipeline.
        rows: Training rows, for the spread of what is multiplied with coefficients.
        raw: Whether the columns are the model's features.

    Returns:
        None when the last step says nothing, or a step mixes columns.
    """
    before, last = pipeline[:-1], pipeline.steps[-1][1]
    owners = _find_owners(before, [str(name) for name in rows.columns])
    if owners is None:
        return None
    found = _measure_inputs(last, before, rows)
    if found is None or len(found[1]) != len(owners):
        return None
    method, values = found
    sums = dict.fromkeys(map(str, rows.columns), 0.0)
    for owner, value in zip(owners, values, strict=True):
        sums[owner] += float(value)
    return StructureImportance(method, sums, raw)


def _measure_inputs(last: Any, before: Pipeline, rows: pd.DataFrame) -> tuple[str, NDArray[np.float64]] | None:
    if is_boosted(last):
        return "gain of the trees", read_trees(last).gain()
    if getattr(last, "feature_importances_", None) is not None:
        return "impurity that the trees took away", np.asarray(last.feature_importances_, np.float64)
    coefficients = getattr(last, "coef_", None)
    if not isinstance(coefficients, np.ndarray):
        return None
    inputs = rows.head(_ROWS)
    inputs = before.transform(inputs) if len(before.steps) else inputs
    dense = np.asarray(inputs.toarray() if hasattr(inputs, "toarray") else inputs, np.float64)
    sizes = np.abs(np.atleast_2d(coefficients)).mean(axis=0)
    return "coefficients, times the spread of what they multiply", sizes * np.nanstd(dense, axis=0)


def _find_owners(step: Any, names: Owners) -> Owners | None:
    """Return the column of which each output of a step is made; None when one is made of several, or that is unknown."""
    if isinstance(step, str):
        return names if step == "passthrough" else []
    if isinstance(step, Pipeline):
        owners: Owners | None = names
        for _, part in step.steps:
            owners = None if owners is None else _find_owners(part, owners)
        return owners
    if isinstance(step, FeatureUnion):
        return _join(_find_owners(part, names) for _, part in step.transformer_list)
    if isinstance(step, ColumnTransformer):
        return _join(_find_owners(part, _select(columns, names)) for _, part, columns in step.transformers_)
    if isinstance(step, DesignMatrix):
        owner = dict(zip(step.names_, names, strict=True))
        return [owner[name] for name in step.owners_]
    if isinstance(step, OneHotEncoder):
        return _of_one_hot(step, names)
    if isinstance(step, SimpleImputer):
        kept = [name for name, value in zip(names, step.statistics_, strict=True) if value == value]
        return kept if len(kept) == len(names) and not step.add_indicator else None
    return names if isinstance(step, _SAME_NAMES) else None


def _of_one_hot(step: OneHotEncoder, names: Owners) -> Owners | None:
    counts = [len(categories) for categories in step.categories_]
    owners = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    return owners if len(step.get_feature_names_out()) == len(owners) else None


def _select(columns: Any, names: Sequence[str]) -> Owners:
    chosen = select_columns(columns, list(names))
    return [str(name) for name in chosen]


def _join(parts: Any) -> Owners | None:
    joined: Owners = []
    for part in parts:
        if part is None:
            return None
        joined += part
    return joined
