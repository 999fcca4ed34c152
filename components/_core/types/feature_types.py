"""The types of a model's inputs and outputs: one object for each, which says what the type is called and how it looks elsewhere.

A new type is a line in `FEATURE_TYPES`. A schema's types, requests, tensors and arrays are looked up here and nowhere listed
again; which columns of examples become which of these types says `column_types.py`. TensorFlow and TensorFlow Metadata are named by
text, so that this module imports neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

_OIP_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})


@dataclass(frozen=True, eq=False)
class FeatureType:
    """One type at a model's border.

    Attributes:
        name: Its name in `signature.json` and in messages.
        kind: Whether its values are whole numbers, real numbers or texts.
        arrow: Its Arrow type.
        numpy: The NumPy type of a vector that a model takes; texts are objects of `str`.
        missing: What a model sees in place of a missing value; None: a value must not be missing.
        tensorflow: The name of its TensorFlow type, as in `tf.int64`.
        schema: The name of its type in a schema of TensorFlow Metadata.
        oip: Its datatype in the Open Inference Protocol (V2).
        oip_accepted: The datatypes of the protocol that a client may send it as.
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
        """Whether its values are whole numbers."""
        return self.kind == "whole"

    @property
    def is_real(self) -> bool:
        """Whether its values are real numbers."""
        return self.kind == "real"

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
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
    """The number from which on a type of real numbers does not hold every whole one: 2**24 for float32, 2**53 for float64."""
    return int(2 ** (np.finfo(real).nmant + 1))


def type_of_schema(schema_type: str) -> FeatureType | None:
    """The type that a schema calls by this name (`INT`, `FLOAT`, `BYTES`); None when no type has it."""
    return next((found for found in FEATURE_TYPES.values() if found.schema == schema_type), None)
