"""The columns of a log's batches: their types, and one row per row of a request.

A value keeps what the log says: whole numbers are int64, real numbers float64 (as they were sent; the model narrows them
itself), texts strings, an output that is a vector a list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Signature

INPUTS, OUTPUTS = "inputs.", "outputs."
HASHES = "hashes."
MOMENT = pa.timestamp("us", "UTC")
SCALARS = {
    "id": pa.string(),
    "time": MOMENT,
    "model": pa.string(),
    "version": pa.string(),
    "latency_ms": pa.float64(),
    "share": pa.float64(),
    "schema": pa.string(),
    "masked": pa.list_(pa.string()),
    "source": pa.string(),
}
"""Type of each value that a request has once."""
_TYPES = {"whole": pa.int64(), "real": pa.float64(), "text": pa.string()}


class UnequalLengthsError(ValueError):
    """The features of a request have different numbers of values."""


@dataclass(frozen=True)
class LogTypes:
    """Types of the values of an object.

    Attributes:
        inputs: Arrow type of one value by feature name.
        outputs: Arrow type of one value by output name; a list for a vector.
        hashed: Features whose hashes are read too.
    """

    inputs: dict[str, pa.DataType] = field(default_factory=dict)
    outputs: dict[str, pa.DataType] = field(default_factory=dict)
    hashed: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches."""
        scalars = [("id", pa.string()), ("row", pa.int64()), *[(n, t) for n, t in SCALARS.items() if n != "id"]]
        hashes = [(HASHES + name, pa.string()) for name in self.hashed]
        inputs = [*hashes, *((INPUTS + name, kind) for name, kind in self.inputs.items())]
        return pa.schema([*scalars, *inputs, *[(OUTPUTS + name, kind) for name, kind in self.outputs.items()]])


def types_of(signature: Signature, seen: LogTypes) -> LogTypes:
    """Return the types by a signature; whether an output is a vector is seen in the log only."""
    inputs = {feature.name: _TYPES[feature.type.kind] for feature in signature.accepted}
    outputs = {name: _TYPES[FEATURE_TYPES[kind].kind] for name, kind in signature.outputs.items()}
    vectors = {name for name, kind in seen.outputs.items() if pa.types.is_list(kind)}
    return LogTypes(inputs, {n: pa.list_(kind) if n in vectors else kind for n, kind in outputs.items()})


def merge_types(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both: real numbers for numbers, otherwise text."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(merge_types(one.value_type, other.value_type))
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


def merge_columns(one: dict[str, pa.DataType], other: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Merge types by name, in the order of the first appearance."""
    return {name: merge_types(one.get(name, pa.null()), other.get(name, pa.null())) for name in {**one, **other}}


def explode(requests: pa.RecordBatch, types: LogTypes) -> pa.RecordBatch:
    """Make one row for each row of each request.

    Args:
        requests: Requests with the columns of `SCALARS`, and a list of values for each feature and output; a masked or
            missing feature is null.
        types: Types of the values.

    Raises:
        UnequalLengthsError: When the features and outputs of a request have different numbers of values.
    """
    columns = ((HASHES, types.hashed), (INPUTS, types.inputs), (OUTPUTS, types.outputs))
    names = [prefix + name for prefix, each in columns for name in each]
    rows = _count_rows([requests[name] for name in names], requests.num_rows)
    parents = np.repeat(np.arange(len(rows)), rows)
    within = np.arange(len(parents)) - np.repeat(np.cumsum(rows) - rows, rows)
    is_plain = len(parents) == len(rows) and bool((rows == 1).all())
    found = {"row": pa.array(within, pa.int64())}
    for name in SCALARS:
        found[name] = requests[name] if is_plain else requests[name].take(pa.array(parents))
    for name in names:
        found[name] = _flatten(requests[name], parents, within, len(rows))
    return pa.RecordBatch.from_arrays([found[each.name] for each in types.schema], schema=types.schema)


def _count_rows(columns: list[pa.Array], requests: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rows = np.full(requests, -1, np.int64)
    for column in columns:
        lengths = np.asarray(pc.fill_null(pc.list_value_length(column), -1), np.int64)
        if np.any((lengths != rows) & (lengths >= 0) & (rows >= 0)):
            raise UnequalLengthsError
        rows = np.maximum(rows, lengths)
    if np.any(rows < 0):
        raise UnequalLengthsError
    return rows


def _flatten(
    column: pa.Array,
    parents: np.ndarray[tuple[int], np.dtype[np.int64]],
    within: np.ndarray[tuple[int], np.dtype[np.int64]],
    requests: int,
) -> pa.Array:
    """Return one value per row; nulls in all rows of a request without a list."""
    if column.null_count == 0:
        return column.flatten()
    if column.null_count == requests:
        return pa.nulls(len(parents), column.type.value_type)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
    starts = np.cumsum(lengths) - lengths  # of each list in the flattened values, where null lists have none
    places = starts[parents] + within
    return column.flatten().take(pa.array(places, mask=lengths[parents] == 0))
