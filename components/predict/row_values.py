"""The columns of a table as values of features, as a client would send them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from components._core.types.column_types import to_feature
from components._core.types.signature import Feature, Signature
from components._predictor.feature_values import Columns


def to_values(batch: pa.RecordBatch, signature: Signature) -> Columns:
    """Return the values of the features that a batch has, one per row; the predictor casts and checks them.

    Args:
        batch: Columns of the types in `column_types.py`; those that the model does not take are left out.
        signature: The model's signature.

    Raises:
        DataError: When a whole number does not fit an int64.
    """
    names = set(batch.schema.names)
    return {
        feature.name: _values(batch.column(batch.schema.get_field_index(feature.name)), feature)
        for feature in signature.inputs
        if feature.name in names
    }


def _values(column: pa.Array, feature: Feature) -> list[Any] | np.ndarray[Any, Any]:
    plain = to_feature(column, feature.name, feature.type)
    if pa.types.is_integer(plain.type):
        if feature.type.is_real:
            return _reals(plain)
        return plain.to_pylist() if plain.null_count else np.asarray(plain.to_numpy())
    if not pa.types.is_floating(plain.type):
        return _texts(plain, feature)
    if feature.type.is_real:
        return _reals(plain)
    # a column of whole numbers is one of reals in many tables, as soon as one value is missing
    return [int(value) if value is not None and value.is_integer() else value for value in plain.to_pylist()]


def _reals(column: pa.Array) -> np.ndarray[Any, Any]:
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _texts(column: pa.Array, feature: Feature) -> list[Any] | np.ndarray[Any, Any]:
    """Return texts; as a vector of objects, which the predictor takes as it is, where each of them is one that the feature allows."""
    if not feature.type.is_text or (column.null_count and not feature.nullable):
        values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return values
    return np.asarray(column.fill_null("").to_numpy(zero_copy_only=False), dtype=object)
