"""Request logs and labels in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components._core.project.feedback_config import Feedback
from components._core.types.signature import Feature, Signature
from components._feedback.feedback_report import FeedbackReport
from components._feedback.make_span import make_span
from components._feedback.settings import FeedbackSettings

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
NEXT_DAY = NOON + timedelta(days=1)
SIGNATURE = Signature(
    "binary_classification",
    (Feature("delay", "float32", True), Feature("month", "int64", False), Feature("carrier", "string", True)),
    {"probabilities": "float32", "class": "string"},
    ("0", "1"),
)


def request(number: int, at: datetime = NOON, rows: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of the log; its features tell its number and row."""
    inputs = {
        "delay": [number + row / 10 for row in range(rows)],
        "month": [1 + (number + row) % 12 for row in range(rows)],
        "carrier": [None if number % 7 == 0 else f"c{number % 5}"] * rows,
    }
    share = (number % 10) / 10
    outputs = {"probabilities": [[1 - share, share]] * rows, "class": ["1"] * rows}
    found = {"id": f"r{number}", "time": at.isoformat(timespec="microseconds"), "model": "tiny", "version": "3"}
    found |= {
        "latency_ms": 1.0,
        "inputs": inputs,
        "masked": [],
        "outputs": outputs,
        "share": 1.0,
        "schema": "5a",
        "log": 2,
    }
    return {**found, **changes}


class Place:
    """A store, a log and labels in one folder."""

    def __init__(self, root: Path, **config: Any) -> None:
        self.root = root
        self.log, self.labels, self.home = root / "log", root / "labels", root / "store" / "feedback"
        self.labels.mkdir(parents=True, exist_ok=True)
        labels = {"source": str(self.labels), "id": "request", "label": "outcome", **config.pop("labels", {})}
        self.config = Feedback.model_validate({"labels": labels, "min_rows": 1, **config})

    def settings(self, **changes: Any) -> FeedbackSettings:
        given = {
            "project": "tiny",
            "log": str(self.log),
            "home": str(self.home),
            "config": self.config,
            "label": "late",
            "label_type": pa.int64(),
            "signature": SIGNATURE,
        }
        return FeedbackSettings(**{**given, **changes})

    def write_log(self, lines: Iterable[dict[str, Any]], name: str = "pod-1", hour: datetime = NOON) -> None:
        folder = self.log / f"{hour:dt=%Y-%m-%d/hour=%H}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def write_labels(self, rows: Iterable[dict[str, Any]], name: str = "a") -> None:
        rows = list(rows)
        names = list(rows[0])
        text = "\n".join([",".join(names), *(",".join(_cell(row[column]) for column in names) for row in rows)])
        file = self.labels / f"{name}.csv"
        file.write_text(text + "\n")
        written = (NOON + timedelta(hours=2)).timestamp()  # not by the clock of this machine
        os.utime(file, (written, written))

    def run(self, now: datetime = NEXT_DAY, **changes: Any) -> FeedbackReport:
        return make_span(self.settings(**changes), now)

    def rows(self, number: int) -> list[dict[str, Any]]:
        table = pq.read_table(self.home / "spans" / f"{number:06d}" / "rows.parquet")
        return sorted(table.to_pylist(), key=str)

    def manifest(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "spans" / f"{number:06d}" / "manifest.json").read_text())
        return found

    @property
    def spans(self) -> list[int]:
        return sorted(int(path.parent.name) for path in self.home.glob("spans/*/manifest.json"))


def expected(number: int, label: int, row: int = 0) -> dict[str, Any]:
    inputs = request(number, rows=row + 1)["inputs"]
    return {**{name: values[row] for name, values in inputs.items()}, "late": label}


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
