"""Counts of answered requests: rows, cells of features and predictions, latency. The counts of two sets of rows add up to those of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import CountVector

_LATENCY_FIRST_MS = 0.1
_LATENCY_STEP = 1.15
LATENCY_BINS = 100
"""Bins of the latency: each reaches 15 % further than the one before it, from 0.1 ms to two minutes."""


@dataclass
class Counts:
    """Counts of some rows.

    Attributes:
        rows: Rows that were answered.
        requests: Requests that were answered.
        represented: Requests that they stand for: the log may have a share of them only.
        cells: Counts by cell, by feature.
        outputs: Counts by cell, by output.
        latency: Requests by bin of their latency, shape [LATENCY_BINS].
        masked: Rows by feature whose value the server masked; they are in no cell.
        errors: Requests that were not answered, by code, where the log says so.
        dropped: Answered requests that the log had no room for, where the log says so.
    """

    rows: int = 0
    requests: int = 0
    represented: float = 0.0
    cells: dict[str, CountVector] = field(default_factory=dict)
    outputs: dict[str, CountVector] = field(default_factory=dict)
    latency: CountVector = field(default_factory=lambda: np.zeros(LATENCY_BINS, dtype=np.int64))
    masked: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    dropped: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of other rows."""
        self.rows += other.rows
        self.requests += other.requests
        self.represented += other.represented
        self.dropped += other.dropped
        self.latency = self.latency + other.latency
        _add_vectors(self.cells, other.cells)
        _add_vectors(self.outputs, other.outputs)
        for mine, more in ((self.masked, other.masked), (self.errors, other.errors)):
            for name, number in more.items():
                mine[name] = mine.get(name, 0) + number

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "rows": self.rows,
            "requests": self.requests,
            "represented": self.represented,
            "cells": {name: vector.tolist() for name, vector in sorted(self.cells.items())},
            "outputs": {name: vector.tolist() for name, vector in sorted(self.outputs.items())},
            "latency": self.latency.tolist(),
            "masked": self.masked,
            "errors": self.errors,
            "dropped": self.dropped,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Counts:
        """Restore it from `to_json`."""
        return cls(
            rows=int(raw["rows"]),
            requests=int(raw["requests"]),
            represented=float(raw["represented"]),
            cells=_load_vectors(raw["cells"]),
            outputs=_load_vectors(raw["outputs"]),
            latency=np.asarray(raw["latency"], dtype=np.int64),
            masked={name: int(number) for name, number in raw["masked"].items()},
            errors={name: int(number) for name, number in raw["errors"].items()},
            dropped=int(raw["dropped"]),
        )


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    summed = Counts()
    for part in parts:
        summed.add(part)
    return summed


def count_latency(milliseconds: NDArray[np.float64]) -> CountVector:
    """Count requests by bin of their latency; those without one are left out.

    Args:
        milliseconds: Latency of each request, shape [requests].
    """
    known = milliseconds[np.isfinite(milliseconds)]
    with np.errstate(divide="ignore"):
        places = np.ceil(np.log(np.maximum(known, 0.0) / _LATENCY_FIRST_MS) / np.log(_LATENCY_STEP))
    return np.bincount(np.clip(places, 0, LATENCY_BINS - 1).astype(np.int64), minlength=LATENCY_BINS).astype(np.int64)


def latency_quantile(latency: CountVector, share: float) -> float | None:
    """Return the latency in milliseconds that a share of the requests keep, to the 15 % of a bin; None without requests."""
    if not latency.sum():
        return None
    place = int(np.searchsorted(np.cumsum(latency), share * latency.sum(), side="left"))
    return float(_LATENCY_FIRST_MS * _LATENCY_STEP**place)


def _add_vectors(mine: dict[str, CountVector], more: Mapping[str, CountVector]) -> None:
    for name, vector in more.items():
        mine[name] = mine[name] + vector if name in mine else vector.copy()


def _load_vectors(raw: Mapping[str, Any]) -> dict[str, CountVector]:
    return {name: np.asarray(vector, dtype=np.int64) for name, vector in raw.items()}
