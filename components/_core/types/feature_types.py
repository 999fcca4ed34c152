"""The types of a model's inputs and outputs: one object for each, with its equivalents in other systems.

A new type is a line in `FEATURE_TYPES`. The types of schemas, requests, tensors and arrays are all looked up here;
`column_types.py` maps columns of examples to these types. TensorFlow and TensorFlow Metadata are referred to by name,
so that this module imports neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

_OIP_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})


@dataclass(frozen=True, eq=False)
class FeatureType:
    """The type of a model's input or output.

    Attributes:
        name: Name of the type in `signature.json` and in messages.
        kind: Whether its values are whole numbers, real numbers or texts.
        arrow: The Arrow type.
        numpy: The NumPy type of a vector that a model takes; texts are objects of `str`.
        missing: Replacement of a missing value in a model; None: a value must not be missing.
        tensorflow: Name of the TensorFlow type, as in `tf.int64`.
        schema: Name of the type in a schema of TensorFlow Metadata.
        oip: Datatype in the Open Inference Protocol (V2).
        oip_accepted: Datatypes of the protocol that a client may send.
    """

    name: str
    kind: Literal["whole", "real", "text"]
    arrow: pa.DataType
    numpy: np.dtype[Any]
    missing: float | str | None
    tensorflow: str
    schema: str
    oip: str
    oip_accepted: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers."""
        return self.kind == "whole"

    @property
    def is_real(self) -> bool:
        """Whether the values are real numbers."""
        return self.kind == "real"

    @property
    def is_text(self) -> bool:
        """Whether the values are texts."""
        return self.kind == "text"


INT64 = FeatureType(
    name="int64",
    kind="whole",
    arrow=pa.int64(),
    numpy=np.dtype(np.int64),
    missing=None,
    tensorflow="int64",
    schema="INT",
    oip="INT64",
    oip_accepted=_OIP_WHOLE,
)
FLOAT32 = FeatureType(
    name="float32",
    kind="real",
    arrow=pa.float32(),
    numpy=np.dtype(np.float32),
    missing=np.nan,
    tensorflow="float32",
    schema="FLOAT",
    oip="FP32",
    oip_accepted=_OIP_WHOLE | {"FP32", "FP64"},
)
STRING = FeatureType(
    name="string",
    kind="text",
    arrow=pa.string(),
    numpy=np.dtype(object),
    missing="",
    tensorflow="string",
    schema="BYTES",
    oip="BYTES",
    oip_accepted=frozenset({"BYTES"}),
)

FEATURE_TYPES: dict[str, FeatureType] = {
    INT64.name: INT64,
    FLOAT32.name: FLOAT32,
    STRING.name: STRING,
}
"""Every type by its name."""


def first_inexact(real: np.dtype[Any]) -> int:
    """Return the number from which a real type cannot represent every whole number: 2**24 for float32, 2**53 for float64."""
    return int(2 ** (np.finfo(real).nmant + 1))


def type_of_schema(schema_type: str) -> FeatureType | None:
    """Return the type with this name in a schema (`INT`, `FLOAT`, `BYTES`); None when there is none."""
    return next((found for found in FEATURE_TYPES.values() if found.schema == schema_type), None)
