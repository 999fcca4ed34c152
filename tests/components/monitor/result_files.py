"""Results of the monitor, made of its own checks, for those who read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from components._core.checks import Check, Status
from components._core.types.artifact_files import MONITORING
from components.monitor.monitor_check import Kind, MonitorCheck


def check(name: str, kind: Kind, status: Status = "pass", feature: str | None = None, **others: Any) -> dict[str, Any]:
    """A check as a result has it; `others` are fields of it, or of the check of every gate."""
    own = {key: others.pop(key) for key in ("measured", "threshold", "baseline", "n", "reason") if key in others}
    return MonitorCheck(Check(name, status, **own), kind, feature, **others).to_json()


def section(version: str, until: datetime, *checks: dict[str, Any], rows: int = 700, **others: Any) -> dict[str, Any]:
    """What a result says about a version."""
    since = until - timedelta(days=7)
    window = {"since": since.isoformat(), "until": until.isoformat(), "hours": 168, "rows": rows, "requests": rows}
    return {"version": version, "window": window, "checks": [*checks], "performance": [], **others}


def served(state: str, measured: float | None, until: datetime, **others: Any) -> dict[str, Any]:
    """A window of answers with labels."""
    interval = None if measured is None else [measured - 0.01, measured + 0.01]
    found = {"since": (until - timedelta(days=7)).isoformat(), "until": until.isoformat(), "state": state}
    numbers = {"answered": 700, "labelled": 600, "coverage": 0.857, "days": 7, "measured": measured}
    return {**found, **numbers, "interval": interval, "baseline": 0.9, "calibration": None, "status": "pass", **others}


def write_result(monitoring: Path, at: datetime, own: dict[str, Any], **others: Any) -> Path:
    """Write the result of a run that began at a time into the folder of a project's monitor."""
    run = f"{at:%Y%m%dT%H%M%SZ}-1f2e3d4c"
    head = {"format": 1, "project": "tiny", "run": run, "at": at.isoformat(), "verdict": "ok", "reason": ""}
    path = monitoring / "runs" / run / MONITORING
    path.parent.mkdir(parents=True)
    aside = path.with_name(".aside")
    aside.write_text(json.dumps({**head, **own, "other_versions": [], **others}))
    aside.rename(path)  # as the store does: a reader sees it whole
    return path
