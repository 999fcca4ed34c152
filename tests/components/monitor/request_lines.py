"""Request logs of a small model, as its server writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.monitoring.feature_bins import SCORE_BINS, count, number_bins
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.monitoring.reference_builder import build_features
from components._core.monitoring.reliability import measure_reliability
from components._core.request_log.layout import SUFFIX, hour_folder
from components._core.store.ledger import Deployment, append_deployment
from components._core.types.artifact_files import MONITORING_REFERENCE
from components._core.types.signature import Feature

FEATURES = [Feature("delay", "float32", True), Feature("carrier", "string", True)]
START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""


def rows_of(hour: datetime, rows: int, shift: float = 0.0) -> dict[str, list[Any]]:
    """Return rows of an hour; the day's weather moves the delays."""
    weather = np.random.default_rng(hour.toordinal()).normal(0, 2)
    random = np.random.default_rng(int(hour.timestamp()))
    delay = random.normal(10 + weather, 15, rows) + shift
    return {
        "delay": [round(float(value), 3) for value in delay],
        "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]).tolist(),
        "probability": [round(float(value), 6) for value in 1 / (1 + np.exp(-(delay - 10) / 15))],
    }


@cache
def make_reference(days: int = 40, shift: float = 0.0) -> MonitoringReference:
    """Make the reference of the rows of some days before `START`, once; `shift` is that of the delays."""
    tables, scores = [], []
    for place in range(days):
        day = START - timedelta(days=days - place)
        own = rows_of(day, 400, shift)
        scores.append(pa.array(own["probability"]))
        columns = {"delay": own["delay"], "carrier": own["carrier"], "day": [day.toordinal()] * 400}
        tables.append(pa.table(columns).to_batches()[0])
    built = build_features(lambda: iter(tables), 400 * days, FEATURES, lambda batch: np.asarray(batch["day"]))
    cells = number_bins(np.concatenate([np.asarray(score) for score in scores]), "float32", SCORE_BINS)
    outputs = {"probability": Column(cells, np.stack([count(cells, score) for score in scores]))}
    every = np.concatenate([np.asarray(score) for score in scores])
    labels = np.random.default_rng(days).random(len(every)) < every
    reliability = {"probability": measure_reliability(cells, every, labels)}
    importances = {"delay": 0.8, "carrier": 0.2}
    return MonitoringReference("day", built.days, built.features, outputs, importances, reliability=reliability)


def write_object(
    log: Path, hour: datetime, rows: dict[str, list[Any]], name: str = "pod-1", version: str = "1", **others: Any
) -> Path:
    """Write an object: a request of one row for each row, one a second."""
    lines = []
    for place in range(len(rows["delay"])):
        at = hour + timedelta(seconds=place % 3_600)
        inputs = {key: [rows[key][place]] for key in ("delay", "carrier")}
        line = {
            "id": f"{hour:%m%d%H}-{name}-{place}",
            "time": at.isoformat(timespec="microseconds"),
            "model": "small",
            "version": version,
            "latency_ms": 2.0,
            "inputs": inputs,
            "masked": [],
            "outputs": {"probability": [rows["probability"][place]]},
            "share": 1.0,
            "schema": "s",
            "log": 2,
            **others,
        }
        lines.append(json.dumps(line))
    path = log / hour_folder(hour.timestamp()) / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def deploy(store: Path, reference: MonitoringReference, version: str) -> None:
    """Write a version with its reference, and its line of the ledger."""
    model = store / "small" / "models" / version / "artifacts" / "model"
    model.mkdir(parents=True)
    reference.save(model.parent / MONITORING_REFERENCE)
    line = Deployment(
        version, str(model), "", "", {}, "", "run", (START - timedelta(days=3)).isoformat(), "me", "first"
    )
    append_deployment(str(store), "small", line)
