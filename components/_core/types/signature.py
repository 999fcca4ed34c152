"""What a model takes and gives, by name and type: read from the schema, kept beside the model, enforced wherever it is called.

Three types cross the border: `int64`, `float32` and `string`. A missing value is NaN in a `float32` and the empty string in
a `string`; a column of whole numbers in which values may be missing is therefore a `float32` to the model. Columns of examples
are exact (`column_types.py`); `to_arrays` is the one place where they are narrowed.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.files import fingerprint_of, read_json, write_json
from components._core.types.artifact_files import SIGNATURE
from components._core.types.column_types import to_feature
from components._core.types.contents import PICTURE, TEXT
from components._core.types.default_framework import DEFAULT_FRAMEWORK
from components._core.types.feature_types import FEATURE_TYPES, FLOAT32, FeatureType, type_of_schema

MAX_PIXELS = 50_000_000
"""Most pixels of a picture that is decoded, where a project says nothing else: 200 MB of red, green, blue and alpha."""
MAX_PICTURE_BYTES = 20 << 20
"""Most bytes of a picture file, where a project says nothing else."""
_DOMAINS = {"image_domain": PICTURE, "natural_language_domain": TEXT}
"""Content by the domain in a schema of TensorFlow Metadata."""


@dataclass(frozen=True)
class Feature:
    """One named input.

    Attributes:
        name: Its column name.
        dtype: The name of its type at the model's border.
        nullable: Whether a value may be missing.
        content: What its texts are: `picture`, the base64 text of a picture file; `text`, natural language; empty: any text.
        mask: Kinds of personal data that are masked in a text before the model and the request log see it.
        max_pixels: Most pixels of a picture that is decoded.
        max_bytes: Most bytes of a picture file.
    """

    name: str
    dtype: str
    nullable: bool
    content: str = ""
    mask: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_PICTURE_BYTES

    @property
    def is_picture(self) -> bool:
        """Whether its texts are picture files."""
        return self.content == PICTURE

    @property
    def type(self) -> FeatureType:
        """Its type at the model's border."""
        return FEATURE_TYPES[self.dtype]


@dataclass(frozen=True)
class Signature:
    """A model's border.

    Attributes:
        task: The project's task.
        inputs: The features it takes, each a vector of shape [rows].
        outputs: Name of the type by output name, as the task has them.
        classes: The label's values in the order of the probabilities (binary: negative, positive); empty for regression.
        framework: The name of the framework that opens the model (`components/_frameworks/table.py`).
        unused: Columns that `transform.drop` left out. A request may have them, whatever their values: clients that send them must not
            fail because the newest training rows made a model without them.
    """

    task: str
    inputs: tuple[Feature, ...]
    outputs: dict[str, str]
    classes: tuple[str, ...]
    framework: str = DEFAULT_FRAMEWORK
    unused: tuple[Feature, ...] = ()

    @property
    def accepted(self) -> tuple[Feature, ...]:
        """What a request may have: the inputs, and the columns that are not used."""
        return (*self.inputs, *self.unused)

    @property
    def picture_names(self) -> frozenset[str]:
        """Names of the features that are pictures."""
        return frozenset(feature.name for feature in self.accepted if feature.is_picture)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that differ between signatures; in each line of the request log."""
        fields = asdict(self)
        for key in ("inputs", "unused"):
            fields[key] = list(map(_plain, fields[key]))
        return fingerprint_of([json.dumps(fields, sort_keys=True)])[:16]

    def save(self, model: Path) -> None:
        """Write it beside the framework's own files."""
        fields = asdict(self)
        if self.framework == DEFAULT_FRAMEWORK:
            del fields["framework"]
        if not self.unused:
            del fields["unused"]
        for key in ("inputs", "unused"):
            if key in fields:
                fields[key] = list(map(_plain, fields[key]))
        write_json(model / SIGNATURE, fields)

    @classmethod
    def load(cls, model: Path) -> Signature:
        """Read it from the model artifact."""
        return cls.from_json(read_json(model / SIGNATURE))

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Signature:
        """Make it from the parsed content of its file."""
        inputs, unused = (tuple(map(_to_feature, raw.get(key, ()))) for key in ("inputs", "unused"))
        framework = raw.get("framework", DEFAULT_FRAMEWORK)
        return cls(raw["task"], inputs, raw["outputs"], tuple(raw["classes"]), framework, unused)


def read_features(schema_file: Path, leave_out: set[str]) -> tuple[Feature, ...]:
    """The features of a schema (a text proto), in its order, without the columns to leave out."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(schema_file.read_text(encoding="utf-8"), schema_pb2.Schema())
    return features_of(schema, leave_out)


def features_of(schema: Any, leave_out: set[str]) -> tuple[Feature, ...]:
    """The features of a schema (a proto), in its order, without the columns to leave out."""
    return tuple(_feature(feature) for feature in schema.feature if feature.name not in leave_out)


def _feature(feature: Any) -> Feature:
    from tensorflow_metadata.proto.v0 import schema_pb2

    nullable = feature.presence.min_fraction < 1.0
    found = type_of_schema(schema_pb2.FeatureType.Name(feature.type)) or FLOAT32
    is_certain = found.missing is not None or not nullable
    content = _DOMAINS.get(feature.WhichOneof("domain_info") or "", "") if found.is_text else ""
    return Feature(feature.name, (found if is_certain else FLOAT32).name, nullable, content)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a feature without those that have their default: as they were before there were pictures and texts."""
    return {name: value for name, value in fields.items() if name not in _LATER or value != _LATER[name]}


_LATER = {each.name: each.default for each in dataclasses.fields(Feature) if each.default is not dataclasses.MISSING}


def _to_feature(fields: dict[str, Any]) -> Feature:
    return Feature(**{**fields, "mask": tuple(fields.get("mask", ()))})


def to_arrays(batch: pa.RecordBatch | pa.Table, features: tuple[Feature, ...]) -> dict[str, NDArray[Any]]:
    """Columns as the model takes them: one NumPy vector per feature, missing values filled as the module says.

    Strings come as object arrays of `str`.

    Raises:
        DataError: When a whole number is missing that the features require: there is no value that could stand for it.
    """
    return {feature.name: _to_array(batch[feature.name], feature) for feature in features}


def _to_array(column: pa.Array | pa.ChunkedArray, feature: Feature) -> NDArray[Any]:
    wanted = feature.type
    if wanted.missing is None and column.null_count:
        problem = f"is missing in {column.null_count} of {len(column)} rows, and the schema requires it in every one"
        remedy = "fill it in the source, or let it be missing in the reviewed schema and train again"
        raise DataError(problem, where=f"column {feature.name}", remedy=remedy)
    cast = to_feature(column, feature.name, wanted).cast(wanted.arrow, safe=not wanted.is_real)
    filled = cast.fill_null(wanted.missing) if wanted.is_text else cast  # Arrow itself gives a missing number as NaN
    values = filled.to_numpy(zero_copy_only=False) if isinstance(filled, pa.Array) else filled.to_numpy()
    return np.asarray(values, dtype=wanted.numpy)
