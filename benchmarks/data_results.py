"""The results of `make bench-data`: one file, to which each of its parts adds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from components._core.files import write_json

DATA_RESULTS = Path(__file__).resolve().parent / "results" / "data.json"
"""Where they are."""


def add_results(found: dict[str, Any], file: Path = DATA_RESULTS) -> None:
    """Add one part's results to those of the others, with the machine."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.parent.mkdir(exist_ok=True)
    write_json(file, {**known, **found, "machine": describe_machine(None)})
