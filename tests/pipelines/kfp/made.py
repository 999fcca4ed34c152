"""Projects with the schedules that a test wants."""

from dataclasses import replace
from typing import Any

from components._core.project.project_file import Schedule, Triggers
from pipelines.kfp.desired_state import Wanted


def nightly(**fields: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 30 3 * * *", **fields})


def scheduled(wanted: Wanted, *schedules: Schedule) -> Wanted:
    """The same project with other schedules."""
    triggers = Triggers(schedules=list(schedules))
    return replace(wanted, project=wanted.project.model_copy(update={"triggers": triggers}))
