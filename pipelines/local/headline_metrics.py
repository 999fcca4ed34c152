"""Which of a run's test metrics people are shown, and in which order: the one that decides stands first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components._core.types.tasks import TASKS


def list_headlines(record_parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> list[str]:
    """Return the names of the metrics that summarise a run: the primary one first, then those of its task's summary.

    Args:
        record_parameters: `parameters` of the run's record, which have the project; of an earlier Naru they may be empty.
        metrics: The run's metrics on the test rows.
    """
    project = record_parameters.get("project") or {}
    task = TASKS.get(str(project.get("task")))
    if task is None:
        names = list(dict.fromkeys(name for each in TASKS.values() for name in each.headline))
    else:
        primary = str(project.get("gates", {}).get("model", {}).get("metric") or task.primary)
        names = task.primary_first(dict.fromkeys([primary, *task.headline]), primary)
    return [name for name in names if name in metrics]
