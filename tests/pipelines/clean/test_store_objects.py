"""What the clean-up keeps of the monitor's counts is held against what the monitor counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from components._core.project.monitor_config import parse_hours
from components._core.project.project_file import parse_project
from components._core.request_log.hours import SETTLE_SECONDS
from components.monitor.monitor import first_hours
from components.monitor.time_windows import last_window
from pipelines.clean.store_objects import compared_for

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("feedback", ["", "feedback: {labels: {source: labels/}, wait: 45d, keep: 60d}\n"])
@pytest.mark.parametrize("window", ["6h", "1d", "7d", "30d", "90d", "365d"])
def test_no_hour_that_the_monitor_counts_is_old_enough_to_go(window: str, feedback: str) -> None:
    head = "name: p\ntask: regression\nlabel: y\ndata: {source: t.csv}\nserve: {request_log: {}}\n"
    project = parse_project(yaml.safe_load(f"{head}monitor: {{window: {window}}}\n{feedback}"))
    earliest = min(first_hours(project, last_window(NOW, parse_hours(window), SETTLE_SECONDS)))
    assert NOW - earliest < compared_for(project)
