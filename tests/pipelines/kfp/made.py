"""Projects with the schedules that a test wants."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from components._core.project.trigger_config import Schedule, Triggers
from components._core.store.approvals import ApprovalRecord, append_approval, digest_evidence, open_approvals
from pipelines.kfp.desired_state import DesiredPipeline


def nightly(**fields: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 30 3 * * *", **fields})


def scheduled(desired: DesiredPipeline, *schedules: Schedule) -> DesiredPipeline:
    """The same project with other schedules."""
    triggers = Triggers(schedules=list(schedules))
    return replace(desired, project=desired.project.model_copy(update={"triggers": triggers}))


def request_approval(run: str) -> None:
    """Write the request for approval of version 5 of the flights, as deploy does in a run of this name."""
    now = datetime.now(UTC)
    record = ApprovalRecord(
        "requested",
        now.isoformat(),
        "5",
        digest=digest_evidence({}),
        deployment={"model": "m"},
        expires=(now + timedelta(days=1)).isoformat(),
        run=run,
    )
    append_approval(open_approvals("memory://store", "flights"), record)
