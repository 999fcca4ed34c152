"""Rows as requests of the Open Inference Protocol (V2): what the model server takes, on a laptop and on a cluster."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.types.signature import DType, Feature

DATATYPE: dict[DType, str] = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}
"""The protocol's name of each of the three types at a model's border."""


def to_request(rows: pa.Table, features: tuple[Feature, ...]) -> dict[str, Any]:
    """Rows as a request: one input per feature, in the signature's order, a missing value as null."""
    return {"inputs": [_input(rows[feature.name].to_pylist(), feature) for feature in features]}


def find_missing(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Where a value is missing to a model: null, NaN, or the empty text. A vector [rows] of bool."""
    missing = np.asarray(pc.is_null(column, nan_is_null=True))
    return missing | np.asarray(pc.equal(column.fill_null(""), "")) if pa.types.is_string(column.type) else missing


def _input(values: list[Any], feature: Feature) -> dict[str, Any]:
    data = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    if feature.dtype == "float32":
        data = [None if value is None else float(value) for value in data]
    return {"name": feature.name, "datatype": DATATYPE[feature.dtype], "shape": [len(data)], "data": data}
