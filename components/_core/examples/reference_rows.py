"""What a served model is given beside its files: a real row and ranges of numbers for diagnosis, its threshold, its interval.

`evaluate` makes it and `register` copies it into the model's folder in the store, since a server gets that folder and nothing else. A model of
an earlier version is served without it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.types.artifact_files import REFERENCE
from components._core.types.oip_requests import to_request
from components._core.types.prediction_interval import PredictionInterval
from components._core.types.signature import Feature

Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Reference:
    """A real row and the ranges of the training rows.

    Attributes:
        row: Value by feature name, None where it is missing; empty when no test row is known.
        ranges: Least and largest value by the name of a numeric feature.
        threshold: Probability from which a row counts as positive, where the project has `serve.threshold`; else None.
        interval: What is answered beside a prediction, where the project has `serve.interval`; else None.
    """

    row: dict[str, Any] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=dict)
    threshold: float | None = None
    interval: PredictionInterval | None = None

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        finite = {name: list(bounds) for name, bounds in self.ranges.items() if all(map(math.isfinite, bounds))}
        threshold = {} if self.threshold is None else {"threshold": self.threshold}
        interval = {} if self.interval is None else {"interval": asdict(self.interval)}
        write_json(path, {"row": self.row, "ranges": finite, **threshold, **interval})

    @classmethod
    def load(cls, model: Path) -> Reference:
        """Read it from a model's folder; empty when the folder has none, or one that cannot be read."""
        try:
            raw: dict[str, Any] = read_json(model / REFERENCE)
            ranges = {name: (float(least), float(most)) for name, (least, most) in raw["ranges"].items()}
            threshold, interval = raw.get("threshold"), raw.get("interval")
            return cls(
                dict(raw["row"]),
                ranges,
                None if threshold is None else float(threshold),
                None if interval is None else PredictionInterval(**{name: float(interval[name]) for name in interval}),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return cls()


def pick_row(sample: Sample, features: tuple[Feature, ...]) -> dict[str, Any]:
    """Pick the first row of a sample whose offline answer is finite, preferably one without missing values."""
    usable = np.ones(sample.rows.num_rows, dtype=bool)
    for values in sample.outputs.values():
        if values.dtype.kind == "f":
            usable &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    candidates = np.flatnonzero(usable & ~sample.gaps())
    candidates = candidates if candidates.size else np.flatnonzero(usable)
    return row_of(to_request(sample.rows.slice(int(candidates[0]), 1), features)) if candidates.size else {}


def row_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the first row of a request, value by feature name."""
    return {item["name"]: item["data"][0] for item in request["inputs"]}
