"""How a stage ended, as one JSON object: the record of its outcome, or its error.

    {"stage": "train", "verdict": "ok", "reason": "...", "import_seconds": 2.7, "work_seconds": 10.1, "metric_loss":
    0.25} {"stage": "ingest", "error": {"kind": "data", "message": "...", "where": "...", "remedy": "..."}}

The record is in the metadata of the stage's first artifact; a stage that failed has no artifact and leaves `error.json`
beside its outputs. In a pod both are the termination message, and a line of the log for users who can reach only the
KFP API. Standard library only, and fast to import: the laptop's launcher writes an error when a stage could not begin.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components._core.errors import NaruError

ERROR_FILE = "error.json"
EARLIER = "earlier_stages"
"""Key in the metadata of a stage's first artifact: the records of the stages that it follows, as JSON in one string."""
LOG_PREFIX = "naru: "
"""Prefix of the line in a pod's log that holds the object."""

StageEnd = dict[str, Any]


def failed(stage: str, error: NaruError) -> StageEnd:
    """Return the end of a stage that raised an error."""
    return {"stage": stage, "error": error.to_dict()}


def error_of(end: StageEnd) -> NaruError | None:
    """Return the error that a stage ended with; None when it succeeded."""
    return NaruError.from_dict(end["error"]) if isinstance(end.get("error"), dict) else None


def list_records(metadata: Iterable[Mapping[str, Any]]) -> list[StageEnd]:
    """List the records in the metadata of artifacts: of the stages that made them and of the earlier stages, each once.

    The stages are in the order in which they ran, provided that the artifacts are.
    """
    records: dict[str, StageEnd] = {}
    for each in metadata:
        own = {name: value for name, value in each.items() if name != EARLIER}
        for record in [*json.loads(each.get(EARLIER, "[]")), *([own] if "stage" in own else [])]:
            records.setdefault(record["stage"], record)
    return list(records.values())


def parse_end(text: str) -> StageEnd:
    """Parse the object in a text; empty when there is none, as in the message of a killed container."""
    try:
        end = json.loads(text)
    except ValueError:
        return {}
    return end if isinstance(end, dict) and isinstance(end.get("stage"), str) else {}


def read_end(file: Path) -> StageEnd:
    """Read the object in a file; empty when the file is missing or has none."""
    try:
        return parse_end(file.read_text(encoding="utf-8"))
    except OSError:
        return {}


def find_end(log: str, stage: str = "") -> StageEnd:
    """Find the last object in a pod's log, of one stage if it is named; empty when there is none."""
    for line in reversed(log.splitlines()):
        end = parse_end(line.removeprefix(LOG_PREFIX)) if line.startswith(LOG_PREFIX) else {}
        if end and stage in ("", end["stage"]):
            return end
    return {}
