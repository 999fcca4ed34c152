"""What a model takes and gives, by name and type: read from the schema, kept beside the model, enforced wherever it is called.

Three types cross the border: `int64`, `float32` and `string`. A missing value is NaN in a `float32` and the empty string in
a `string`; a column of whole numbers in which values may be missing is therefore a `float32` to the model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.files import read_json, write_json
from components._core.types.artifact_files import SIGNATURE

DType = Literal["int64", "float32", "string"]


@dataclass(frozen=True)
class Feature:
    """One named input.

    Attributes:
        name: Its column name.
        dtype: Its type at the model's border.
        nullable: Whether a value may be missing.
    """

    name: str
    dtype: DType
    nullable: bool


@dataclass(frozen=True)
class Signature:
    """A model's border.

    Attributes:
        task: The project's task.
        inputs: The features it takes, each a vector of shape [rows].
        outputs: Type by output name, as the task has them.
        classes: The label's values in the order of the probabilities (binary: negative, positive); empty for regression.
    """

    task: str
    inputs: tuple[Feature, ...]
    outputs: dict[str, DType]
    classes: tuple[str, ...]

    def save(self, model: Path) -> None:
        """Write it beside the SavedModel."""
        write_json(model / SIGNATURE, asdict(self))

    @classmethod
    def load(cls, model: Path) -> Signature:
        """Read it from the model artifact."""
        raw: dict[str, Any] = read_json(model / SIGNATURE)
        inputs = tuple(Feature(**feature) for feature in raw["inputs"])
        return cls(raw["task"], inputs, raw["outputs"], tuple(raw["classes"]))


def read_features(schema_file: Path, leave_out: set[str]) -> tuple[Feature, ...]:
    """The features of a schema (a text proto), in its order, without the columns to leave out."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(schema_file.read_text(encoding="utf-8"), schema_pb2.Schema())
    kept = [feature for feature in schema.feature if feature.name not in leave_out]
    return tuple(_feature(feature, schema_pb2) for feature in kept)


def _feature(feature: Any, schema_pb2: Any) -> Feature:
    nullable = feature.presence.min_fraction < 1.0
    if feature.type == schema_pb2.BYTES:
        return Feature(feature.name, "string", nullable)
    if feature.type == schema_pb2.INT and not nullable:
        return Feature(feature.name, "int64", nullable)
    return Feature(feature.name, "float32", nullable)


def to_arrays(batch: pa.RecordBatch | pa.Table, features: tuple[Feature, ...]) -> dict[str, NDArray[Any]]:
    """Columns as the model takes them: one NumPy vector per feature, missing values filled as the module says.

    Strings come as object arrays of `str`.

    Raises:
        DataError: When a whole number is missing that the features require: there is no value that could stand for it.
    """
    return {feature.name: _to_array(batch[feature.name], feature.dtype, feature.name) for feature in features}


def _to_array(column: pa.Array | pa.ChunkedArray, dtype: DType, name: str) -> NDArray[Any]:
    if dtype == "string":
        text = column.cast(pa.string()).fill_null("")
        return np.asarray(
            text.to_numpy(zero_copy_only=False) if isinstance(text, pa.Array) else text.to_numpy(), dtype=object
        )
    if dtype == "int64":
        if column.null_count:
            told = f"is missing in {column.null_count} of {len(column)} rows, and the schema requires it in every one"
            remedy = "fill it in the source, or let it be missing in the reviewed schema and train again"
            raise DataError(told, where=f"column {name}", remedy=remedy)
        whole = column.cast(pa.int64())
        return np.asarray(
            whole.to_numpy(zero_copy_only=False) if isinstance(whole, pa.Array) else whole.to_numpy(), dtype=np.int64
        )
    real = column.cast(pa.float32(), safe=False)
    return np.asarray(
        real.to_numpy(zero_copy_only=False) if isinstance(real, pa.Array) else real.to_numpy(), dtype=np.float32
    )
