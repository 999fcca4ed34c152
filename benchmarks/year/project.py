"""The project of the year: the example's functions and settings, with labels, monitor and triggers."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from benchmarks.data import FLIGHTS
from benchmarks.year.flights import FEATURES, FIRST_SERVED, LABEL, Changes, read_days
from components._core.examples.safe_parquet import pq

WEEK = timedelta(days=7)
SPANS = 13
"""Spans of a quarter: a span is a week."""
SOURCE = "data/{span}.parquet"
LABELS = "labels"
FIRST_DAY = date(2013, 1, 1)
DROP = 0.03
"""By how much the metric must have fallen for the trigger `worse`: less than a week's interval shows, so the monitor's own check may pass."""
_SETTINGS: dict[str, Any] = {
    "data": {"source": SOURCE, "spans": "all"},
    "serve": {"request_log": {}},
    "feedback": {
        "labels": {"source": LABELS, "id": "request_id", "row": "row", "label": LABEL, "time": "known_at"},
        "min_rows": 300,
        "spans": SOURCE,
        "first_span": SPANS + 1,
    },
    # a week passes in a second: how long an answer takes says nothing here
    "monitor": {"window": "7d", "severity": {"latency": "ignore"}},
    "triggers": {
        "limits": {"cooldown": "27d"},
        "retrain": {"spans": f"last {SPANS}"},
        "on": [
            {"name": "worse", "performance": {"drop": DROP, "windows": "3 of 4", "again": "27d"}},
            {
                "name": "moved",
                "distribution": {"features": "important", "severity": "fail", "windows": "3 of 4", "again": "27d"},
            },
        ],
    },
}


def write_project(folder: Path, changes: Changes) -> None:
    """Write the project with the first quarter as its spans.

    Args:
        folder: An empty folder.
        changes: What happens to the flights.
    """
    for name in ("preprocessing.py", "model.py"):
        (folder / name).write_text(_without_month_and_day(FLIGHTS / name), encoding="utf-8")
    project = yaml.safe_load((FLIGHTS / "project.yaml").read_text(encoding="utf-8"))
    project |= _SETTINGS
    project["train"] |= {"epochs": 8, "batch_size": 128}
    project["gates"]["model"]["thresholds"] = {"auc": {"min": 0.8}}
    project["gates"]["serving"] = {"p95_ms": 10_000}
    (folder / "project.yaml").write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    (folder / LABELS).mkdir()
    (folder / "data").mkdir()
    for number in range(1, SPANS + 1):
        begin = FIRST_SERVED - (SPANS + 1 - number) * WEEK
        rows = [day.rows for day in read_days(max(begin, FIRST_DAY), begin + WEEK, changes)]
        pq.write_table(
            pa.concat_tables(rows).select([*FEATURES, LABEL]), folder / SOURCE.replace("{span}", f"{number:06d}")
        )


def _without_month_and_day(file: Path) -> str:
    """Return one of the example's modules without the columns that the year does not have."""
    text = file.read_text(encoding="utf-8")
    return text.replace(', "day"]', "]").replace('"month": 13, ', "")
