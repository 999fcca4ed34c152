"""Ingest the content of a CSV file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.checks import Outcome
from components._core.examples.artifact import SPLITS, read_batches
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples


def ingest(folder: Path, text: str | bytes, name: str = "t.csv", **data: object) -> tuple[Outcome, pa.Table]:
    """Write the content to a file and ingest it; returns the outcome and all rows."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return ingest_files(folder, name, **data)


def ingest_files(folder: Path, name: str, **data: object) -> tuple[Outcome, pa.Table]:
    """Ingest files of a folder; `{span}` in the name stands for a span."""
    for made in ("examples", "quarantine"):
        (folder / made).mkdir()
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": str(folder / name), **data}}
    outcome = ingest_examples(parse_project(raw), examples=folder / "examples", quarantine=folder / "quarantine")
    batches = [batch for split in SPLITS for batch in read_batches(folder / "examples", split)]
    return outcome, pa.Table.from_batches(batches)


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """The rows set aside."""
    return [json.loads(line) for line in (folder / "quarantine" / "rows.jsonl").read_text().splitlines()]
