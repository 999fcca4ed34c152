"""Conversion of rows to requests of the Open Inference Protocol (V2), for model servers on a laptop and on a cluster."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.types.column_types import is_text, to_feature, to_text
from components._core.types.feature_types import FLOAT32, STRING
from components._core.types.signature import Feature


def to_request(rows: pa.Table, features: tuple[Feature, ...]) -> dict[str, Any]:
    """Convert rows to a request: one input per feature, in the signature's order, a missing value as null."""
    return {"inputs": [_input(_values(rows, feature), feature) for feature in features]}


def output_datatype(values: np.ndarray[Any, Any]) -> str:
    """Return the protocol's datatype of a model's output: texts or real numbers."""
    return STRING.oip if values.dtype == STRING.numpy else FLOAT32.oip


def output_array(output: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return an output of a response as an array, in its shape."""
    wanted = STRING if output["datatype"] == STRING.oip else FLOAT32
    return np.array(output["data"], dtype=wanted.numpy).reshape(output["shape"])


def find_missing(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return where a value is missing for a model (null, NaN, no bytes, empty text), as a vector [rows] of bool."""
    missing = np.asarray(pc.is_null(column, nan_is_null=True))
    return missing | np.asarray(pc.equal(to_text(column).fill_null(""), "")) if is_text(column.type) else missing


def _values(rows: pa.Table, feature: Feature) -> list[Any]:
    values: list[Any] = to_feature(rows[feature.name], feature.name, feature.type).to_pylist()
    return values


def _input(values: list[Any], feature: Feature) -> dict[str, Any]:
    data = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    if feature.type.is_real:
        data = [None if value is None else float(value) for value in data]
    return {"name": feature.name, "datatype": feature.type.oip, "shape": [len(data)], "data": data}
