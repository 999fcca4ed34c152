"""The line of an answered request, for all that writes a log: the servers, and batch prediction."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from components._core.request_log.layout import FORMAT
from components._core.request_log.picture_references import PictureDescriber
from components._core.request_log.value_hashes import ValueHasher

orjson: Any
try:
    import orjson
except ImportError:  # MLServer brings it, seldon-core does not
    orjson = None

BATCH = "batch"
"""Source of requests that batch prediction answered; those of a server have none."""


@dataclass(frozen=True)
class LineWriter:
    """Writes the lines of one version's requests.

    Attributes:
        model: The model's name.
        version: The model's version.
        share: Share of the requests that is logged.
        schema: The fingerprint of the model's signature.
        masked: Features whose values are not written.
        source: What answered, other than a server; empty: a server.
        hashed: Those of the masked features of which a hash is written.
        hasher: Makes the hashes; None: there are none.
        pictures: Those of the masked features that are pictures, of which a description is written.
        describer: Makes the descriptions.
    """

    model: str
    version: str
    share: float = 1.0
    schema: str = ""
    masked: frozenset[str] = frozenset()
    source: str = ""
    hashed: frozenset[str] = frozenset()
    hasher: ValueHasher | None = None
    pictures: frozenset[str] = frozenset()
    describer: PictureDescriber = field(default_factory=PictureDescriber)

    def write(
        self,
        request_id: str,
        seconds: float,
        latency: float | None,
        inputs: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]],
        outputs: Mapping[str, np.ndarray[Any, Any]],
    ) -> bytes:
        """Return the line of a request.

        Args:
            request_id: Its id.
            seconds: When it was answered, in seconds since 1970.
            latency: How long the answer took, in seconds; None: nobody waited for it.
            inputs: Values as they were sent; a vector of numbers may hold whole numbers as float64.
            outputs: The model's outputs.

        Raises:
            TypeError: When a value cannot be written.
            ValueError: The same.
            RecursionError: When a value is nested too deep.
        """
        record = {
            "id": request_id,
            "time": datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds"),
            "model": self.model,
            "version": self.version,
            "latency_ms": None if latency is None else round(latency * 1_000, 3),
            "inputs": {name: None if name in self.masked else values for name, values in inputs.items()},
            "masked": sorted(self.masked.intersection(inputs)),
            "outputs": {name: values.tolist() for name, values in outputs.items()},
            "share": self.share,
            "schema": self.schema,
            "log": FORMAT,
            **({"source": self.source} if self.source else {}),
            **self._hashes(inputs),
        }
        if self.pictures:
            self._add_pictures(record, inputs)
        return _to_json(record) + b"\n"

    def _add_pictures(self, record: dict[str, Any], inputs: Mapping[str, Any]) -> None:
        """Add what the log has in place of pictures."""
        found = self.describer.describe(sorted(self.pictures), inputs)
        record["pictures"] = found.references
        record["inputs"] |= found.measures
        record["masked"] = sorted([*record["masked"], *found.masked])

    def _hashes(self, inputs: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]) -> dict[str, Any]:
        if self.hasher is None:  # nearly every log: nothing is looked up for each line
            return {}
        names = sorted(self.hashed & self.masked & inputs.keys())
        return {"hashes": {name: self.hasher.hash(inputs[name]) for name in names}} if names else {}


def _to_json(record: dict[str, Any]) -> bytes:
    """Serialize a record as JSON: bytes as text, as they were read, and NaN, which is a missing value, as null."""
    if orjson:  # ten times as fast, and a server makes the lines between its predictions
        try:
            return bytes(orjson.dumps(record, default=_decode, option=orjson.OPT_SERIALIZE_NUMPY))
        except TypeError:  # an unpaired surrogate, or a number beyond 64 bits
            pass
    inputs = {name: None if values is None else _listed(values) for name, values in record["inputs"].items()}
    return json.dumps({**record, "inputs": inputs}).encode()


def _decode(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError


def _listed(values: Any) -> list[Any]:
    return [_plain(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return None if isinstance(value, float) and math.isnan(value) else value
