"""Projects with the schedules that a test wants."""

from dataclasses import replace
from typing import Any

from components._core.project.trigger_config import Schedule, Triggers
from pipelines.kfp.desired_state import DesiredPipeline


def nightly(**fields: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 30 3 * * *", **fields})


def scheduled(desired: DesiredPipeline, *schedules: Schedule) -> DesiredPipeline:
    """The same project with other schedules."""
    triggers = Triggers(schedules=list(schedules))
    return replace(desired, project=desired.project.model_copy(update={"triggers": triggers}))
