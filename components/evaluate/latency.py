"""How long the model takes in process: of one row and of a thousand, as a server would call it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.examples.artifact import read_head
from components._core.types.signature import to_arrays
from components._frameworks.contract import Model

_WARM_UP = 5
_CALLS = {1: 100, 1_000: 40}
_MOST_SECONDS = 1.0


@dataclass(frozen=True)
class Latency:
    """Time of calls with so many rows.

    Attributes:
        rows: Rows in a call.
        calls: Calls that were timed.
        p50_ms: Median, in milliseconds.
        p95_ms: 95th percentile, in milliseconds.
    """

    rows: int
    calls: int
    p50_ms: float
    p95_ms: float


def measure_latency(model: Model, examples: Path) -> list[Latency]:
    """Time calls on test rows; rows are repeated when there are fewer than a call needs."""
    columns = [feature.name for feature in model.signature.inputs]
    head = to_arrays(read_head(examples, "test", max(_CALLS), columns), model.signature.inputs)
    return [_time(model, {name: np.resize(values, rows) for name, values in head.items()}, rows) for rows in _CALLS]


def as_json(latencies: list[Latency], bound_ms: float) -> dict[str, Any]:
    """What `latency.json` holds; the bound is that of one row's 95th percentile."""
    measured = [asdict(latency) for latency in latencies]
    return {"measured": measured, "p95_ms_bound": bound_ms, "within": latencies[0].p95_ms <= bound_ms}


def _time(model: Model, arrays: dict[str, np.ndarray[Any, Any]], rows: int) -> Latency:
    for _ in range(_WARM_UP):
        model.predict(arrays)
    taken: list[float] = []
    while len(taken) < _CALLS[rows] and sum(taken) < _MOST_SECONDS:
        started = time.perf_counter()
        model.predict(arrays)
        taken.append(time.perf_counter() - started)
    p50, p95 = np.quantile(taken, [0.5, 0.95]) * 1_000
    return Latency(rows, len(taken), float(p50), float(p95))
